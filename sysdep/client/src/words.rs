//! The commands that the daemon (or BIRD) knows, for abbreviations and help.

/// One command.
#[derive(Debug)]
pub(crate) struct Command {
    /// Its words.
    pub(crate) words: &'static [&'static str],
    /// What may follow.
    pub(crate) arguments: &'static str,
    /// What it does.
    pub(crate) help: &'static str,
    /// Words that may follow, and what they mean.
    pub(crate) options: &'static [(&'static str, &'static str)],
}

impl Command {
    /// Its first arguments may be names of the configuration, so they are never taken for abbreviations.
    pub(crate) fn takes_names(&self) -> bool {
        self.arguments.contains("<protocol>") || self.arguments.contains("<name>")
    }
}

const fn command(
    words: &'static [&'static str],
    arguments: &'static str,
    help: &'static str,
) -> Command {
    Command { words, arguments, help, options: &[] }
}

/// Words that begin several commands and are none themselves.
pub(crate) const GROUPS: &[(&str, &str)] = &[
    ("show", "Look at routes, protocols and the daemon"),
    ("dump", "Write internal data to a file (BIRD)"),
    ("graceful", "Ways to end that peers bridge over"),
    ("mrt", "Write tables in MRT format (BIRD)"),
];

/// What `enable` and its likes take.
const WHICH: &str = "(<protocol> | \"<pattern>\" | all) [\"<message>\"]";

/// What `debug` and its likes take.
const TRACED: &str = "(<protocol> | \"<pattern>\" | all) (all | off | { <flag>, ... })";

/// What `timeformat` takes.
const FORMATS: &str = "\"<format>\" [N \"<format>\"] | iso (short | long) [ms | us]";

/// All commands, in the order of help.
pub(crate) const COMMANDS: &[Command] = &[
    command(&["show", "status"], "", "Version, router id, times"),
    command(
        &["show", "protocols"],
        "[all] [<protocol> | \"<pattern>\"]",
        "Protocols and their state",
    ),
    command(&["show", "protocols", "all"], "[<protocol> | \"<pattern>\"]", "Protocols in detail"),
    Command {
        words: &["show", "route"],
        arguments: "[<prefix> | for <address> | in <prefix>] [all] [table <table> | all] [...]",
        help: "Routes",
        options: ROUTE_OPTIONS,
    },
    command(&["show", "interfaces"], "", "Interfaces of the machine and their addresses"),
    command(&["show", "interfaces", "summary"], "", "Interfaces, one line each"),
    command(&["show", "memory"], "", "What memory is used for"),
    command(
        &["show", "static"],
        "[<protocol>]",
        "Static routes and whether their gateways are there",
    ),
    Command {
        words: &["show", "symbols"],
        arguments: "[table | filter | function | protocol | template | <name>]",
        help: "Names of the configuration",
        options: &[
            ("table", "Tables only"),
            ("filter", "Filters only"),
            ("function", "Functions only"),
            ("protocol", "Protocols only"),
            ("template", "Templates only"),
        ],
    },
    command(&["show", "threads"], "", "Worker threads"),
    command(&["show", "threads", "all"], "", "Worker threads and every loop on them"),
    command(&["show", "trace"], "[N]", "The last records of the flight recorder"),
    command(&["show", "bfd", "sessions"], "[<protocol>] [...]", "BFD sessions"),
    command(&["show", "ospf"], "[<protocol>]", "OSPF, in short"),
    command(&["show", "ospf", "neighbors"], "[<protocol>] [\"<interface>\"]", "OSPF neighbours"),
    command(&["show", "ospf", "interface"], "[<protocol>] [\"<interface>\"]", "OSPF interfaces"),
    command(&["show", "ospf", "topology"], "[all] [<protocol>]", "OSPF topology"),
    command(&["show", "ospf", "state"], "[all] [<protocol>]", "OSPF link state"),
    command(&["show", "ospf", "lsadb"], "[...] [<protocol>]", "OSPF database"),
    command(&["show", "rip", "interfaces"], "[<protocol>] [\"<interface>\"]", "RIP interfaces"),
    command(&["show", "rip", "neighbors"], "[<protocol>] [\"<interface>\"]", "RIP neighbours"),
    command(&["show", "babel", "interfaces"], "[<protocol>] [\"<interface>\"]", "Babel interfaces"),
    command(&["show", "babel", "neighbors"], "[<protocol>] [\"<interface>\"]", "Babel neighbours"),
    command(&["show", "babel", "entries"], "[<protocol>]", "Babel entries"),
    command(&["show", "babel", "routes"], "[<protocol>]", "Babel routes"),
    command(&["show", "mpls", "ranges"], "[<domain>]", "MPLS label ranges"),
    Command {
        words: &["configure"],
        arguments: "[soft] [\"<file>\"] [timeout [N]]",
        help: "Read the configuration again and put it into force",
        options: &[
            ("timeout", "Go back after N seconds (300) unless confirmed"),
            ("soft", "Leave routes alone that filters have passed already"),
        ],
    },
    command(
        &["configure", "check"],
        "[\"<file>\"]",
        "Read the configuration and report its errors",
    ),
    command(&["configure", "confirm"], "", "Keep the configuration that waits for it"),
    command(&["configure", "undo"], "", "Go back to the configuration before"),
    command(&["configure", "status"], "", "What became of the last change"),
    command(&["enable"], WHICH, "Start protocols"),
    command(&["disable"], WHICH, "Stop protocols"),
    command(&["restart"], WHICH, "Stop protocols and start them again"),
    Command {
        words: &["reload"],
        arguments: "[filters | bgp] [in | out] (<protocol> | \"<pattern>\" | all)",
        help: "Run filters over routes again, or ask BGP peers for them",
        options: &[
            ("filters", "Run filters again"),
            ("bgp", "Exchange all routes again"),
            ("in", "Only what is imported"),
            ("out", "Only what is exported"),
        ],
    },
    command(&["debug"], TRACED, "Trace what protocols do, in the log"),
    command(&["mrtdump"], TRACED, "Dump messages (BIRD)"),
    command(&["threads"], "N", "Change the number of worker threads at once"),
    command(&["eval"], "<expression>", "Value of an expression of the filter language"),
    command(&["timeformat"], FORMATS, "How this session shows times"),
    command(&["restrict"], "", "Refuse everything but looking in this session"),
    command(
        &["echo"],
        "(all | off | { <class>, ... }) [N]",
        "Show log messages in this session (BIRD 2)",
    ),
    command(&["dump", "resources"], "[\"<file>\"]", "Memory and other resources (BIRD)"),
    command(&["dump", "sockets"], "[\"<file>\"]", "Sockets (BIRD)"),
    command(&["dump", "events"], "[\"<file>\"]", "Events (BIRD)"),
    command(&["dump", "interfaces"], "[\"<file>\"]", "Interfaces (BIRD)"),
    command(&["dump", "neighbors"], "[\"<file>\"]", "Neighbours (BIRD)"),
    command(&["dump", "attributes"], "[\"<file>\"]", "Attributes (BIRD)"),
    command(&["dump", "routes"], "[\"<file>\"]", "Routes (BIRD)"),
    command(&["dump", "tables"], "[\"<file>\"]", "Tables (BIRD)"),
    command(&["dump", "protocols"], "[\"<file>\"]", "Protocols (BIRD)"),
    command(&["dump", "filter", "all"], "[\"<file>\"]", "Filters (BIRD)"),
    command(&["mrt", "dump"], "[table <table>] [to \"<file>\"] [...]", "Write a table (BIRD)"),
    command(&["down"], "", "End the daemon"),
    command(&["graceful", "restart"], "", "End the daemon; peers keep its routes (BIRD)"),
    command(&["help"], "[<command>]", "This help"),
    command(&["quit"], "", "End this session"),
    command(&["exit"], "", "End this session"),
];

const ROUTE_OPTIONS: &[(&str, &str)] = &[
    ("<prefix>", "This network only"),
    ("for", "The best match for an address or network"),
    ("in", "Networks inside a prefix"),
    ("all", "With all attributes"),
    ("table", "Routes of a table, or of all"),
    ("import table", "Routes as they were received from a protocol (BIRD)"),
    ("export table", "Routes as they were sent to a protocol (BIRD)"),
    ("filter", "Routes that pass a filter"),
    ("where", "Routes for which an expression is true"),
    ("protocol", "Routes that came from a protocol"),
    ("primary", "Best routes only"),
    ("filtered", "Routes that the import filter rejected"),
    ("export", "Routes that a protocol or channel exports"),
    ("exported", "Routes that were exported to a protocol or channel"),
    ("noexport", "Routes that a protocol or channel rejects"),
    ("preexport", "Routes before a protocol's export filter"),
    ("count", "Only how many"),
    ("stats", "Routes, and how many"),
];
