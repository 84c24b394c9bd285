//! Whole configurations with a protocol that exists only here.

use core::time::Duration;
use std::sync::Arc;

use dunlin_conf::Parsed;
use dunlin_filter::ChannelFilter;
use dunlin_runtime::Threads;

use super::{
    Config, ConfigParser, DebugFlags, Globals, Kinds, LogDestination, LogFile, RouterId, parse_text,
};
use crate::log::LogClass;
use crate::protocol::{
    ChannelKind, ChannelRules, Difference, Effect, InstanceConfig, LimitAction, Needed, Phase,
    ProtocolConfig, ProtocolKind, Section, Service,
};

struct Toy;

#[derive(Clone, Debug, Default, PartialEq)]
struct ToyConfig {
    size: u32,
    shiny: bool,
}

impl ProtocolConfig for ToyConfig {
    fn same(&self, other: &dyn ProtocolConfig) -> bool {
        other.downcast::<Self>() == Some(self)
    }

    fn has_places(&self) -> bool {
        false
    }
}

impl ProtocolKind for Toy {
    fn keyword(&self) -> &'static str {
        // Sections of a known type, so that the words are BIRD's.
        "static"
    }
    fn type_name(&self) -> &'static str {
        "Static"
    }
    fn phase(&self) -> Phase {
        Phase::Local
    }
    fn channels(&self) -> ChannelRules {
        ChannelRules {
            kinds: &[ChannelKind::Ipv4, ChannelKind::Ipv6],
            others: &[],
            needed: Needed::One,
            preference: 200,
            import: ChannelFilter::Accept,
            export: ChannelFilter::Reject,
        }
    }
    fn section(&self) -> Box<dyn Section> {
        Box::new(ToyConfig::default())
    }
    fn service(&self) -> Box<dyn Service> {
        unreachable!("these tests start nothing")
    }
}

impl Section for ToyConfig {
    fn inherit(&self) -> Box<dyn Section> {
        Box::new(self.clone())
    }
    fn statement(&mut self, parser: &mut ConfigParser, _globals: &Globals) -> Parsed<bool> {
        if parser.eat_word("size") {
            self.size = parser.integer()?;
            return Ok(true);
        }
        Ok(false)
    }
    fn channel_statement(
        &mut self,
        parser: &mut ConfigParser,
        _globals: &Globals,
        _channel: ChannelKind,
    ) -> Parsed<bool> {
        if parser.eat_word("shiny") {
            self.shiny = parser.switch()?;
            return Ok(true);
        }
        Ok(false)
    }
    fn finish(
        &self,
        _parser: &mut ConfigParser,
        _globals: &Globals,
        _config: &mut InstanceConfig,
    ) -> Parsed<Arc<dyn ProtocolConfig>> {
        Ok(Arc::new(self.clone()))
    }
}

pub(super) fn kinds() -> Kinds {
    let kinds: [Arc<dyn ProtocolKind>; 1] = [Arc::new(Toy)];
    Arc::new(kinds)
}

fn good(text: &str) -> Config {
    match parse_text("t", text, &kinds()) {
        Ok(config) => config,
        Err(rejected) => panic!("{:?}", rejected.lines().collect::<Vec<_>>()),
    }
}

fn bad(text: &str) -> Vec<String> {
    match parse_text("t", text, &kinds()) {
        Ok(_) => panic!("accepted: {text}"),
        Err(rejected) => rejected.lines().collect(),
    }
}

#[test]
fn statements_outside_protocols() {
    let config = good(
        r#"router id 10.0.0.1; hostname "r1";
        log stderr { info, error }; log "f.log" 20000 "f.old" all; log syslog name "x" all;
        timeformat route iso long; timeformat base "%T" 3600 "%F";
        ipv4 table t1; ipv6 table t6 { trie on; };
        threads 4; slices 8
        debug protocols { states, events }
        cli "/run/x.ctl" { restrict; v2 attributes; };
        define A = 1;; filter f { accept; }
        protocol static { ipv4; }"#,
    );
    let globals = &config.globals;
    assert_eq!(globals.router_id, Some(RouterId::Fixed(0x0a00_0001)));
    assert_eq!(globals.hostname.as_deref(), Some("r1"));
    assert_eq!((globals.threads, globals.slices), (Some(Threads::Fixed(4)), Some(8)));
    assert_eq!(globals.logs.len(), 3);
    assert!(globals.logs[0].classes.contains(LogClass::Info));
    assert!(!globals.logs[0].classes.contains(LogClass::Trace));
    assert!(matches!(&globals.logs[1].destination, LogDestination::File(f) if f.rotate.is_some()));
    assert_eq!(&*globals.time_formats.route.recent, "%F %T");
    assert!(globals.cli[0].restrict && globals.cli[0].v2_attributes);
    let tables: Vec<_> = globals.tables.iter().map(|table| &*table.name).collect();
    assert_eq!(tables, ["master4", "master6", "t1", "t6"]);
    assert_eq!(&*config.protocols[0].name, "static1");
}

#[test]
fn what_has_no_effect_yet_is_said() {
    for (text, message) in [
        ("debug channels all", ""),
        ("debug tables { states }", ""),
        ("debug protocols { states, routes }", ""),
        ("ipv4 table t { debug all; };", ""),
        ("protocol static { ipv4 { debug all; }; }", ""),
        ("debug protocols { states, events }", ""),
        ("debug channels off", ""),
        (
            "protocol static { ipv4 { export block 5; }; }",
            "export block: accepted, has no effect yet",
        ),
    ] {
        let config = good(&format!("{text}\nprotocol static {{ ipv4; }}"));
        let said = config.warnings.first().map(ToString::to_string).unwrap_or_default();
        assert!(said.contains(message) && said.is_empty() == message.is_empty(), "{text}: {said}");
    }
}

#[test]
fn what_is_traced_has_its_own_flags_or_the_usual_ones() {
    let text = "ipv4 table own { debug { states }; }; ipv4 table usual;
        debug protocols { states }; debug channels { routes }; debug tables { routes, events };
        protocol static a { ipv4 { debug { filters }; }; }
        protocol static b { debug off; ipv4; }";
    let config = good(text);
    let globals = &config.globals;
    let of_table = |name| globals.table_flags(globals.table(name).unwrap());
    assert_eq!(of_table("own"), DebugFlags::STATES);
    // Also of a table that was made before.
    let usual = DebugFlags::ROUTES.with(DebugFlags::EVENTS);
    assert_eq!([of_table("usual"), of_table("master4")], [usual; 2]);
    let flags = |name| {
        let protocol = config.protocol(name).unwrap();
        (protocol.debug, protocol.channels[0].debug)
    };
    assert_eq!(flags("a"), (DebugFlags::STATES, DebugFlags::FILTERS));
    assert_eq!(flags("b"), (DebugFlags::OFF, DebugFlags::ROUTES));
}

#[test]
fn what_has_nothing_to_change_says_why() {
    // The option, with the column that the warning is at; and the reason, in part.
    for (text, column, option, reason) in [
        ("filter stacks 128 64;", 1, "filter stacks", "no stacks"),
        ("ipv4 table t sorted;", 14, "sorted", "no order"),
        ("ipv4 table t { sorted on; };", 16, "sorted", "no order"),
        ("ipv4 table t { trie; };", 16, "trie", "without a trie"),
        ("ipv4 table t { gc threshold 9; };", 16, "gc threshold", "nothing to collect"),
        ("ipv4 table t { gc period 3600 s; };", 16, "gc period", "nothing to collect"),
        ("ipv4 table t { cork threshold 1 2; };", 16, "cork threshold", "each session"),
        ("ipv4 table t { export settle time 1 s 2 s; };", 16, "export settle time", "none waits"),
        (
            "ipv4 table t { route refresh export settle time 1 s 2 s; };",
            16,
            "route refresh export settle time",
            "none waits",
        ),
        ("ipv4 table t { min settle time 1 s; };", 16, "min settle time", "ROA"),
        ("ipv4 table t { max settle time 1 s; };", 16, "max settle time", "ROA"),
        ("ipv4 table t { digest settle time 1 s 20 s; };", 16, "digest settle time", "ROA"),
    ] {
        let config = good(&format!("{text}\nprotocol static {{ ipv4; }}"));
        let warnings: Vec<_> = config.warnings.iter().map(ToString::to_string).collect();
        let [said] = &warnings[..] else { panic!("{text}: {warnings:?}") };
        let start = format!("t:1:{column}: {option}: accepted, has no effect: ");
        assert!(said.starts_with(&start) && said.contains(reason), "{text}: {said}");
    }
    // What asks for no more than there is needs no warning.
    for text in ["ipv4 table t { sorted off; };", "protocol static { ipv4 { rpki reload on; }; }"] {
        let config = good(&format!("{text}\nprotocol static {{ ipv4; }}"));
        assert!(config.warnings.is_empty(), "{text}: {:?}", config.warnings);
    }
    let found = bad("ipv4 table t { gc period 3601 s; };\nprotocol static { ipv4; }");
    assert_eq!(found, ["t:1:26 GC period must be at most 3600 s"]);
}

#[test]
fn restart_times_are_inherited_and_compared() {
    let config = good(
        "template static t { ipv4; restart time 100 ms; } protocol static a from t { } \
         protocol static b from t { restart time 2 s; } protocol static c { ipv4; }",
    );
    let times: Vec<_> = config.protocols.iter().map(|p| p.restart_time.as_millis()).collect();
    assert_eq!(times, [100, 2000, 5000]);
    let guide = good("protocol static { ipv4; restart time limit 7 s; }");
    assert_eq!(guide.protocols[0].restart_time.as_millis(), 7000);
    let longer = good("protocol static c { ipv4; restart time 6 s; }");
    let found = config.protocols[2].differences(&longer.protocols[0]);
    assert_eq!(found, [Difference::new("restart time", Effect::Live)]);
}

#[test]
fn templates_give_options_and_channels() {
    let config = good(
        "ipv4 table t1;
        template static base { size 5; description \"d\"; ipv4 { shiny; import none; preference 7; }; }
        protocol static a from base { ipv4 { table t1; import limit 9 action block; }; }
        protocol static b from a { disabled; size 6; }",
    );
    let [a, b] = &config.protocols[..] else { panic!("two protocols") };
    let channel = &a.channels[0];
    assert_eq!((&*channel.table, channel.preference), ("t1", 7));
    assert!(channel.import.is_reject_all() && channel.import_given && !channel.export_given);
    let limit = channel.import_limit.unwrap();
    assert_eq!((limit.count, limit.action), (9, LimitAction::Block));
    assert_eq!(a.specific::<ToyConfig>(), Some(&ToyConfig { size: 5, shiny: true }));
    assert_eq!(b.specific::<ToyConfig>(), Some(&ToyConfig { size: 6, shiny: true }));
    assert_eq!(b.description.as_deref(), Some("d"));
    assert!(b.disabled && !a.disabled);
    assert_eq!(a.differences(a), []);
    let found = a.differences(b);
    let (disabled, own) = (
        Difference::new("disabled", Effect::Live),
        Difference::new("options of the protocol", Effect::Restart),
    );
    assert_eq!(found, [disabled, own]);
}

#[test]
fn what_is_not_built_is_named_with_its_place() {
    for (text, place, option) in [
        ("vpn4 table r;", "1:1", "table of type vpn4"),
        ("flow4 table r { gc threshold 5; };", "1:1", "table of type flow4"),
        ("ipv6 sadr table r;", "1:1", "table of type ipv6 sadr"),
        ("mpls table r;", "1:1", "table of type mpls"),
        ("neighbor table r;", "1:1", "table of type neighbors"),
        ("mrtdump \"f\";", "1:1", "mrtdump"),
        ("mrtdump protocols { states, messages };", "1:9", "mrtdump"),
        ("graceful restart wait 100;", "1:1", "graceful restart wait"),
        ("mpls domain d { label range x { start 16; length 9; }; };", "1:1", "mpls domain"),
        ("debug show route all;", "1:12", "debug show route"),
        ("log fixed \"f\" 20000 all;", "1:5", "log fixed"),
        ("log udp 192.0.2.1 port 5140 { info };", "1:5", "log udp"),
        ("log udp \"host\" all;", "1:5", "log udp"),
        ("protocol static { ipv4; mrtdump { states }; }", "1:25", "mrtdump"),
        ("protocol static { ipv4; vrf default; }", "1:25", "vrf default"),
    ] {
        let config = good(&format!("{text}\nprotocol static {{ ipv4; }}"));
        let first = config.warnings.first().map(ToString::to_string).unwrap_or_default();
        assert_eq!(first, format!("t:{place}: {option}: accepted, has no effect yet"), "{text}");
        assert!(config.protocols.iter().all(|protocol| protocol.unbuilt.is_none()), "{text}");
    }
    assert!(
        good("mrtdump protocols off; protocol static { ipv4; mrtdump off; }").warnings.is_empty()
    );
}

#[test]
fn without_what_is_vital_an_instance_is_not_to_start() {
    for (section, what) in [
        ("ipv4; vrf \"x\";", "The option `vrf`"),
        ("ipv4 { export in 10.0.0.0/8 all; };", "The option `export in`"),
    ] {
        let config = good(&format!("protocol static {{ {section} }}"));
        assert_eq!(config.protocols[0].unbuilt.as_deref(), Some(what));
        assert!(config.warnings[0].message.starts_with(what), "{:?}", config.warnings);
        let plain = good("protocol static { ipv4; }");
        let found = config.protocols[0].differences(&plain.protocols[0]);
        assert_eq!(found[0], Difference::new("options that are not supported", Effect::Restart));
    }
    let heir =
        good("template static t { vrf \"x\"; } protocol static from t { ipv4; vrf default; }");
    assert_eq!(heir.protocols[0].unbuilt, None);
}

#[test]
fn the_grammar_of_what_is_not_built_is_checked() {
    for (text, error) in [
        (
            "mrtdump protocols { packets };",
            "1:21 syntax error, unexpected PACKETS, expecting STATES or MESSAGES",
        ),
        ("mrtdump protocols 7;", "1:19 syntax error, unexpected NUM, expecting ALL or OFF or '{'"),
        ("graceful restart 7;", "1:18 syntax error, unexpected NUM, expecting WAIT"),
        ("log udp 192.0.2.1 port 0 all;", "1:24 Port must be in range 1-65535"),
        (
            "log fixed 7 all;",
            "1:11 syntax error, unexpected NUM, expecting TEXT or CF_SYM_KNOWN or '('",
        ),
        (
            "mpls domain d { label range x { start 1048576; }; };",
            "1:39 Label range start must be in range 0-1048575",
        ),
        (
            "mpls domain d { label range x { start 1048575; length 2; }; };",
            "1:58 MPLS label range exceeds 20 bits",
        ),
        ("roa4 table master4;", "1:12 Symbol 'master4' already defined"),
        ("roa4 tabel x;", "1:6 syntax error, unexpected CF_SYM_UNDEFINED, expecting TABLE"),
        (
            "protocol static { ipv4; vrf 7; }",
            "1:29 syntax error, unexpected NUM, expecting TEXT or CF_SYM_KNOWN or '('",
        ),
        ("protocol static { roa4; }", "1:19 Protocol static has no roa4 channel"),
        (
            "protocol static { ipv4 { import table; }; }",
            "1:33 syntax error, unexpected TABLE, expecting ALL or NONE or FILTER or WHERE",
        ),
        ("protocol static { ipv4 { colour; }; }", "1:26 syntax error, unexpected CF_SYM_UNDEFINED"),
        ("protocol perf { ipv4; }", "1:10 syntax error, unexpected CF_SYM_UNDEFINED"),
        (
            "mpls domain d { label range x { length 0; }; };",
            "1:40 Label range length must be in range 1-1048576",
        ),
    ] {
        let found = bad(&format!("{text}\nprotocol static {{ ipv4; }}"));
        assert_eq!(found[0], format!("t:{error}"), "{text}");
    }
}

#[test]
fn a_check_of_origins_is_read() {
    let text = "roa4 table r; roa6 table r6; aspa table a; define ASN = 65001;\n\
                filter f { if roa_check(r, net, ASN) = ROA_INVALID then reject; \
                if roa_check(r6) != ROA_UNKNOWN then reject; \
                if aspa_check(a, bgp_path, true) = ASPA_INVALID then reject; \
                if aspa_check_downstream(a) = ASPA_VALID then reject; accept; }\n\
                protocol static { ipv4; }";
    let config = good(text);
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn tables_that_filters_ask_have_times_to_settle() {
    use core::time::Duration;
    let settled = "roa4 table r { export settle time 2 ms 3 ms; digest settle time 4 s 5 s; };\n\
                   roa6 table old { min settle time 1 ms; max settle time 2 s; };\n\
                   aspa table plain; protocol static { ipv4 { rpki reload off; }; }";
    let config = good(settled);
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    let times = |name: &str| {
        let table = config.globals.table(name).unwrap();
        [table.settle, table.digest].map(|settle| [settle.quiet, settle.most])
    };
    let (ms, s) = (Duration::from_millis, Duration::from_secs);
    assert_eq!(times("r"), [[ms(2), ms(3)], [s(4), s(5)]]);
    assert_eq!(times("old"), [[ms(1), ms(100)], [ms(1), s(2)]]);
    assert_eq!(times("plain"), [[ms(1), ms(100)], [s(1), s(20)]]);
    assert!(!config.protocols[0].channels[0].rpki_reload);
}

#[test]
fn every_error_is_reported() {
    let errors = bad("protocol static a { ipv4; ipv4; }\nprotocol static a { ipv4; }\n\
         protocol static b { }\nrouter id x;\nprotocol static c from nobody { ipv4; }\n");
    assert_eq!(errors.len(), 5, "{errors:?}");
    assert_eq!(errors[0], "t:1:27 Multiple channels of the same type");
    assert_eq!(errors[1], "t:2:17 Symbol 'a' already defined");
    assert_eq!(errors[2], "t:3:21 Channel not specified");
    assert!(errors[3].starts_with("t:4:11 syntax error"), "{errors:?}");
}

#[test]
fn wrong_statements_have_these_messages() {
    for (text, error) in [
        ("slices 257", "1:8 Number of slices must be in range 1-256"),
        ("slices 12", "1:8 Number of slices must be a power of two"),
        ("log \"f\" 16383 \"g\" all;", "1:9 Log file size limit must be in range 16384-4294967295"),
        ("ipv6 table t; protocol static { ipv4 { table t; }; }", "1:46 Incompatible table type"),
    ] {
        let found = bad(&format!("{text}\nprotocol static {{ ipv4; }}"));
        assert_eq!(found[0], format!("t:{error}"), "{text}");
    }
    let odd = good("router id 0; protocol static { ipv4; }");
    assert_eq!(odd.warnings[0].to_string(), "t:1:11: Router ID is zero, which is none");
}

#[test]
fn a_configuration_needs_a_protocol() {
    assert_eq!(bad("router id 1.2.3.4;\n"), ["t:2:1 No protocol is specified in the config file"]);
}

#[test]
fn thread_groups_and_who_is_in_them() {
    let config = good(
        r#"thread group worker { threads 4; default yes; max time 2 ms; }
        thread group express { threads auto 1 3; max latency 20 ms; min time 100 us; }
        thread group slow { wakeup time 5 s; min time 10 ms; max time 300 ms; max latency 1 s; }
        template static base { thread group express; ipv4; }
        protocol static a from base { }
        protocol static b from base { thread group slow; }
        protocol static c { ipv4; }"#,
    );
    let (groups, default) = config.globals.thread_groups.all(Threads::Fixed(9));
    assert_eq!(&*default, "worker");
    let names: Vec<&str> = groups.iter().map(|group| &*group.name).collect();
    assert_eq!(names, ["worker", "express", "slow"]);
    assert_eq!(groups[0].threads, Threads::Fixed(4));
    assert_eq!(groups[0].max_time, Duration::from_millis(2));
    assert_eq!(groups[1].threads, Threads::Auto { min: 1, max: 3 });
    assert_eq!(groups[1].max_latency, Duration::from_millis(20));
    assert_eq!(groups[1].min_time, Duration::from_micros(100));
    assert_eq!(groups[2].wakeup_time, Duration::from_secs(5));
    assert_eq!(groups[2].min_time, Duration::from_millis(10));
    assert_eq!(groups[2].max_time, Duration::from_millis(300));
    assert_eq!(groups[2].max_latency, Duration::from_secs(1));
    let of = |name: &str| config.protocol(name).unwrap().thread_group.clone();
    assert_eq!(of("a").as_deref(), Some("express"));
    assert_eq!(of("b").as_deref(), Some("slow"));
    assert_eq!(of("c"), None);
}

#[test]
fn the_first_table_that_names_a_thread_group_decides_for_all() {
    let config = good(
        "thread group a { default yes; } thread group b { }\n\
         ipv4 table plain; ipv6 table master6 { thread group b; trie off; }\n\
         ipv4 table t1 { thread group b; };\n\
         ipv4 table t2 { thread group a; }\n\
         protocol static { ipv4; }",
    );
    let group = config.globals.tables_group.as_ref().unwrap();
    assert_eq!((&*group.group, &*group.table), ("b", "master6"));
    let warnings: Vec<_> = config.warnings.iter().map(ToString::to_string).collect();
    let other = "t:4:17: thread group: accepted, has no effect: all tables run in group b, which \
                 table master6 names";
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert_eq!(warnings[1], other);
    let config = good("ipv4 table master4 { thread group express; }; protocol static { ipv4; }");
    assert_eq!(&*config.globals.tables_group.clone().unwrap().group, "express");
    assert!(config.warnings.is_empty());
    assert!(good("protocol static { ipv4; }").globals.tables_group.is_none());
    let found = bad("ipv4 table t { thread group c; }\nprotocol static { ipv4; }");
    assert!(found[0].starts_with("t:1:29 Thread group c not found"), "{found:?}");
}

#[test]
fn without_thread_groups_there_are_the_built_in_ones() {
    let config = good("threads auto 2 5; protocol static { thread group express; ipv4; }");
    let globals = &config.globals;
    assert_eq!(globals.threads, Some(Threads::Auto { min: 2, max: 5 }));
    let (groups, default) = globals.thread_groups.all(Threads::Fixed(3));
    assert_eq!((groups.len(), &*default), (2, "worker"));
    assert_eq!(groups[0].threads, Threads::Fixed(3));
    assert!(globals.thread_groups.has("worker") && !globals.thread_groups.has("slow"));
    let config = good("thread group fast { default yes; } protocol static { ipv4; }");
    let (groups, default) = config.globals.thread_groups.all(Threads::Fixed(3));
    let names: Vec<&str> = groups.iter().map(|group| &*group.name).collect();
    assert_eq!((names, &*default), (vec!["fast", "express"], "fast"));
    let auto = good("threads auto; protocol static { ipv4; }").globals.threads;
    assert!(matches!(auto, Some(Threads::Auto { min: 1, max: 1.. })), "{auto:?}");
}

#[test]
fn thread_groups_that_make_no_sense_are_refused() {
    let wrong = [
        ("thread group a { }", "No default thread group"),
        ("threads 2; thread group a { default yes; }", "not both"),
        ("thread group a { default yes; } threads 2;", "not both"),
        ("thread group a { default yes; } thread group a { }", "already defined"),
        ("thread group a { default yes; } thread group b { default yes; }", "only one default"),
        ("thread group a { default yes; max time 61 s; }", "at most 60 s"),
        ("thread group a { default yes; max time 0 s; }", "must not be zero"),
        ("thread group a { default yes; min time 3 ms; max time 2 ms; }", "Min time"),
        ("thread group a { default yes; max time 3 ms; max latency 2 ms; }", "Max latency"),
        ("thread group a { default yes; wakeup time 10 ms; }", "Wakeup time"),
        ("thread group a { default yes; threads 0; }", "range 1-128"),
        ("thread group a { default yes; colour 7; }", "unexpected"),
        ("threads auto 5 2;", "fewer than"),
        ("protocol static { ipv4; thread group none; }", "Thread group none not found"),
        ("protocol static x { ipv4; } thread group a { default yes; }", "before protocols"),
    ];
    for (text, message) in wrong {
        let lines = bad(&format!("{text}\nprotocol static y {{ ipv4; }}"));
        assert!(lines.iter().any(|line| line.contains(message)), "{text}: {lines:?}");
    }
}

#[test]
fn logs_are_named_by_constants() {
    let config = good(
        "define FILE = \"/tmp/x\"; define SIZE = 20000; define HOST = \"h\"; define IP = 10.0.0.1;
         log FILE all; log FILE SIZE FILE all; log udp HOST all; log udp IP all;
         protocol static { ipv4; }",
    );
    let file = |rotate| LogDestination::File(LogFile { path: "/tmp/x".into(), rotate });
    let found: Vec<_> = config.globals.logs.iter().map(|log| log.destination.clone()).collect();
    assert_eq!(found, [file(None), file(Some((20000, "/tmp/x".into())))]);
    let refused = bad("define N = 5; log N all; protocol static { ipv4; }");
    assert!(refused[0].starts_with("t:1:19 syntax error"), "{refused:?}");
}

#[test]
fn only_tables_of_prefixes_have_a_trie() {
    for table in ["ipv4", "ipv6", "ipv6 sadr", "vpn4", "vpn6", "roa4", "roa6"] {
        let config = good(&format!("{table} table t {{ trie; }} protocol static {{ ipv4; }}"));
        assert!(config.globals.tables.last().unwrap().trie, "{table}");
    }
    for table in ["flow4", "flow6", "mpls", "eth", "evpn", "aspa", "neighbors"] {
        for switch in ["", " off"] {
            let text = format!("{table} table t {{ trie{switch}; }} protocol static {{ ipv4; }}");
            let message = format!("Trie option not supported for {table} table");
            assert!(bad(&text)[0].ends_with(&message), "{table}: {:?}", bad(&text));
        }
    }
}

#[test]
fn the_watchdog_says_what_is_reported() {
    use dunlin_runtime::{Class, Watch};
    let watch =
        |text: &str| good(&format!("{text} protocol static {{ ipv4; }}")).globals.watchdog.watch();
    assert_eq!(watch(""), Watch::default());
    let warned = watch("watchdog warning 300 ms; watchdog timeout 20 s;");
    assert_eq!(warned.overrun, [Some(Duration::from_millis(300)); 4]);
    assert_eq!(warned.stall, Some(Duration::from_millis(300)));
    assert_eq!(warned.abort, Some(Duration::from_secs(20)));
    assert_eq!(watch("watchdog warning off;").overrun, [None; 4]);
    // As `debug` and `threads`, it needs no semicolon.
    let bare = watch("watchdog warning 300 ms watchdog timeout 20 s");
    assert_eq!((bare.overrun, bare.abort), (warned.overrun, warned.abort));
    assert_eq!(watch("debug latency off;"), Watch::default());
    let second = Some(Duration::from_secs(1));
    assert_eq!(watch("debug latency all;").late, [second; 4]);
    assert_eq!(watch("debug latency { wakeup, scheduling };").late, [second; 4]);
    let late = watch("debug latency limit 40 ms; debug latency on;").late;
    assert_eq!(late[Class::Bulk.index()], Some(Duration::from_millis(40)));
}
