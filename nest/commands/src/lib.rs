//! The commands of the control socket: their words, what may follow, and what they do.
//!
//! One table for both ends. The daemon's parser is tested against it, so a command is in it if and only
//! if the daemon has it; the client writes abbreviations out and prints help with it.
//!
//! Deliberately absent: the grammar behind the words, which is the parser's (`nest/core`).

/// One command.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// Its words.
    pub words: &'static [&'static str],
    /// What may follow.
    pub arguments: &'static str,
    /// What it does, in a few words. Empty for commands about protocols that are not built: their answer
    /// says so, and help does not list them.
    pub help: &'static str,
    /// Words that may follow, and what they mean.
    pub options: &'static [(&'static str, &'static str)],
}

impl Command {
    /// Whether help and completion leave it out.
    pub const fn is_hidden(&self) -> bool {
        self.help.is_empty()
    }

    /// Its first arguments may be names of the configuration, so they are never taken for abbreviations.
    pub fn takes_names(&self) -> bool {
        self.arguments.contains("<protocol>") || self.arguments.contains("<name>")
    }
}

/// A command without options.
pub const fn command(
    words: &'static [&'static str],
    arguments: &'static str,
    help: &'static str,
) -> Command {
    Command { words, arguments, help, options: &[] }
}

/// Words that begin several commands and are none themselves.
pub const GROUPS: &[(&str, &str)] = &[("show", "Look at routes, protocols and the daemon")];

/// What `enable` and its likes take.
const WHICH: &str = "(<protocol> | \"<pattern>\" | all) [\"<message>\"]";

/// What listings of loops take.
const WHICH_LOOPS: &str = "[N | <name> | \"<pattern>\"] [json]";

/// What `debug` takes.
const TRACED: &str = "(<protocol>[.<channel>] | \"<pattern>\" | all) (all | off | { <flag>, ... })";

/// What `timeformat` takes.
const FORMATS: &str = "\"<format>\" [N \"<format>\"] | iso (short | long) [ms | us]";

/// All commands, in the order of help.
pub const COMMANDS: &[Command] = &[
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
    command(
        &["show", "filter"],
        "[<name> | <protocol>[.<channel>] (import | export)] counters [json]",
        "How often lines of filters ran, accepted, rejected and failed",
    ),
    command(&["show", "export"], "", "What sessions share of exporting"),
    command(&["show", "threads"], "[json]", "Worker threads"),
    command(
        &["show", "threads", "all"],
        "[json]",
        "Thread groups, worker threads, what their handlers took, moves and every loop",
    ),
    command(&["show", "loops"], WHICH_LOOPS, "Loops, what they used and what waits for them"),
    command(
        &["show", "loops", "all"],
        WHICH_LOOPS,
        "How long their handlers took and waited, and who was to blame for the worst",
    ),
    command(&["show", "events"], "[json]", "What handlers took and how long they waited"),
    command(
        &["show", "events", "all"],
        "[json]",
        "The same, with the worst of each and who was to blame",
    ),
    command(&["show", "timers"], WHICH_LOOPS, "Timers and when they expire"),
    command(&["show", "queues"], WHICH_LOOPS, "Loops for which something waits"),
    command(&["show", "jobs"], WHICH_LOOPS, "Jobs for idle time, and long work"),
    command(&["show", "sockets"], WHICH_LOOPS, "Sockets of loops"),
    command(
        &["show", "flow"],
        WHICH_LOOPS,
        "What is under way between loops and to neighbours, and who has to wait",
    ),
    command(&["show", "clients"], WHICH_LOOPS, "Connections that loops keep up, and how they do"),
    command(&["show", "places"], "[json]", "Where in the program something was asked for so far"),
    Command {
        words: &["show", "trace"],
        arguments: "[N | last N | all] [loop (<number> | \"<pattern>\")] [class <class>] [...]",
        help: "The last records of the flight recorder",
        options: &[
            ("last", "The last N of those that are wanted (100)"),
            ("all", "All of them"),
            ("loop", "Of a loop, by number, name or pattern"),
            ("class", "Of a class: liveness, control, routing, bulk or idle"),
            ("worker", "Of a worker, counted from 1"),
            ("json", "A JSON object in each line"),
        ],
    },
    command(&["show", "bfd", "sessions"], "[<protocol>] [...]", ""),
    command(&["show", "ospf"], "[<protocol>] [...]", ""),
    command(&["show", "ospf", "neighbors"], "[<protocol>] [...]", ""),
    command(&["show", "ospf", "interface"], "[<protocol>] [...]", ""),
    command(&["show", "ospf", "topology"], "[<protocol>] [...]", ""),
    command(&["show", "ospf", "state"], "[<protocol>] [...]", ""),
    command(&["show", "ospf", "lsadb"], "[<protocol>] [...]", ""),
    command(&["show", "rip", "interfaces"], "[<protocol>] [...]", ""),
    command(&["show", "rip", "neighbors"], "[<protocol>] [...]", ""),
    command(&["show", "babel", "interfaces"], "[<protocol>] [...]", ""),
    command(&["show", "babel", "neighbors"], "[<protocol>] [...]", ""),
    command(&["show", "babel", "entries"], "[<protocol>] [...]", ""),
    command(&["show", "babel", "routes"], "[<protocol>] [...]", ""),
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
    command(
        &["configure", "check", "impact"],
        "[\"<file>\"] [json]",
        "What the configuration would restart and change, changing nothing",
    ),
    command(&["configure", "confirm"], "", "Keep the configuration that waits for it"),
    command(&["configure", "undo"], "", "Go back to the configuration before"),
    command(&["configure", "status"], "", "What became of the last change"),
    command(&["enable"], WHICH, "Start protocols"),
    command(&["disable"], WHICH, "Stop protocols"),
    command(&["restart"], WHICH, "Stop protocols and start them again"),
    Command {
        words: &["reload"],
        arguments: "[filters | bgp] [in | out] (<protocol> | \"<pattern>\" | all) [partial <set>]",
        help: "Run filters over routes again, or ask BGP peers for them",
        options: &[
            ("filters", "Run filters again"),
            ("bgp", "Exchange all routes again"),
            ("in", "Only what is imported"),
            ("out", "Only what is exported"),
            ("partial", "Only networks of a prefix set"),
        ],
    },
    command(&["debug"], TRACED, "Trace what protocols do, in the log"),
    command(
        &["clear", "statistics"],
        "[json]",
        "Forget what show threads, loops and events have counted",
    ),
    command(
        &["filter", "counters"],
        "(on | off)",
        "Count what lines of filters do, from nothing, or stop and forget",
    ),
    command(
        &["threads"],
        "[<group>] (N | auto [<min> <max>])",
        "Change the number of worker threads at once",
    ),
    command(&["eval"], "<expression>", "Value of an expression of the filter language"),
    command(&["timeformat"], FORMATS, "How this session shows times"),
    command(&["restrict"], "", "Refuse everything but looking in this session"),
    command(&["down"], "", "End the daemon"),
];

const ROUTE_OPTIONS: &[(&str, &str)] = &[
    ("<prefix>", "This network only"),
    ("for", "The best match for an address or network"),
    ("in", "Networks inside a prefix"),
    ("all", "With all attributes"),
    ("table", "Routes of a table, or of all"),
    ("filter", "Routes that pass a filter"),
    ("where", "Routes for which an expression is true"),
    ("protocol", "Routes that came from a protocol"),
    ("primary", "Best routes only"),
    ("filtered", "Routes that the import filter rejected"),
    ("explain", "What decided: of every import, or of import or export of a protocol; [json]"),
    ("export", "Routes that a protocol or channel exports"),
    ("exported", "Routes that were exported to a protocol or channel"),
    ("noexport", "Routes that a protocol or channel rejects"),
    ("preexport", "Routes before a protocol's export filter"),
    ("count", "Only how many"),
    ("stats", "Routes, and how many"),
];
