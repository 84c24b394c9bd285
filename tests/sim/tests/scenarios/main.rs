//! Scenarios, each over many seeds. See [`dunlin_sim_tests`] for how to run one again.

mod exchange;
