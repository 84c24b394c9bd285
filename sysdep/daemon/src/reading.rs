//! The configuration: read from a file, or the one in the program.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use dunlin_conf::OsFiles;
use dunlin_core::config::{Config, Kinds, Rejected, load, load_to_run};
use dunlin_core::protocol::ProtocolKind;
use dunlin_unix::system::Embedded;

use crate::options::{Command, Options};

/// What runs when no configuration is given.
pub(crate) const EXAMPLE: Embedded =
    Embedded { name: "(built-in example)", text: include_str!("default.conf") };

/// Every protocol type there is.
pub(crate) fn kinds() -> Kinds {
    let built: [Arc<dyn ProtocolKind>; 6] = [
        Arc::new(dunlin_device::Device),
        Arc::new(dunlin_pipe::PipeProtocol),
        Arc::new(dunlin_static::Static),
        Arc::new(dunlin_bgp::Bgp),
        Arc::new(dunlin_direct::Direct),
        Arc::new(dunlin_kernel::Kernel),
    ];
    built.into_iter().chain(dunlin_unbuilt::kinds()).collect()
}

/// Reads the configuration that was asked for. Its path is absolute, because a daemon leaves the
/// directory it was started in.
///
/// # Errors
/// If anything is wrong; it has been printed.
pub(crate) fn read(options: &Options, kinds: &Kinds) -> Result<Config, Refused> {
    dunlin_filter::read_system_names(&OsFiles);
    let loaded = match &options.config {
        None => EXAMPLE.load(kinds),
        Some(path) => {
            // Only who is to do what is written must be able to.
            let runs = options.command == Command::Run && !options.lenient;
            let load = if runs { load_to_run } else { load };
            load(&absolute(path.clone()), &OsFiles, kinds)
        }
    };
    match loaded {
        Ok(config) => Ok(config),
        Err(rejected) => {
            print(&rejected);
            Err(Refused)
        }
    }
}

/// A configuration is wrong, and the user knows why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused;

impl core::fmt::Display for Refused {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the configuration is wrong")
    }
}

impl core::error::Error for Refused {}

impl From<Refused> for io::Error {
    fn from(refused: Refused) -> Self {
        Self::new(io::ErrorKind::InvalidData, refused)
    }
}

/// `-p`: says what is wrong, and nothing else.
pub(crate) fn check(options: &Options) -> ExitCode {
    match read(options, &kinds()) {
        Ok(config) => {
            for warning in &config.warnings {
                eprintln!("dunlin: {warning}");
            }
            // The process ends: the system takes back a hundred thousand pieces at once.
            core::mem::forget(config);
            ExitCode::SUCCESS
        }
        Err(Refused) => ExitCode::FAILURE,
    }
}

/// Everything that was found: first BIRD's line, then the piece of text.
fn print(rejected: &Rejected) {
    for text in rejected.render_each() {
        eprint!("dunlin: {text}");
    }
}

fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::{EXAMPLE, kinds};

    #[test]
    fn the_example_is_right() {
        let config = EXAMPLE.load(&kinds());
        let config = config.map_err(|rejected| rejected.lines().collect::<Vec<_>>()).unwrap();
        assert!(config.warnings.is_empty(), "{:?}", config.warnings);
        assert!(config.protocols.len() >= 5);
        assert_eq!(config.path.to_str(), Some(EXAMPLE.name));
    }
}
