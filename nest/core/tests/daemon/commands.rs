//! What commands answer, byte for byte, from a daemon with toy protocols.

use super::support::Lab;

const CONFIG: &str = "
    ipv4 table t1;
    timeformat route iso long; timeformat protocol iso long; timeformat base iso long;
    define SIZE = 3; filter f { accept; } function g() { return 1; }
    protocol device { }
    protocol toy a { description \"first\"; route 10.0.0.0/8; route 192.0.2.0/24;
        ipv4 { import limit 10 action block; import keep filtered; export filter f; }; }
    protocol toy b { disabled; ipv4 { table t1; }; ipv6; }
    protocol toy peer1 { learnt 192.0.2.0/24 \"65002 64999\"; learnt 198.51.100.0/24 \"65002\";
        ipv4 { preference 100; }; }
    protocol toy broke { broken; ipv4; }
";

fn sorted(answer: &str) -> Vec<&str> {
    let mut lines: Vec<_> = answer.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn status() {
    let lab = Lab::start(CONFIG);
    let expected = "1000-BIRD 3.3.2\n1011-Router ID is 10.9.0.1\n Hostname is desert\n \
        Current server time is 2026-11-22 13:47:35\n Last reboot on 2026-11-22 13:47:35\n \
        Last reconfiguration on 2026-11-22 13:47:35\n";
    let answer = lab.ask("show status");
    assert!(answer.starts_with(expected), "{answer}");
    assert!(answer.ends_with("\n Dunlin 0.1.0, 4 slices\n0013 Daemon is up and running\n"));
}

#[test]
fn protocols() {
    let lab = Lab::start(CONFIG);
    let expected = "2002-Name       Proto      Table      State  Since         Info\n\
        1002-device1    Toy        ---        up     2026-11-22 13:47:35  \n \
        a          Toy        ---        up     2026-11-22 13:47:35  \n \
        b          Toy        ---        down   2026-11-22 13:47:35  \n \
        peer1      Toy        ---        up     2026-11-22 13:47:35  \n \
        broke      Toy        ---        down   2026-11-22 13:47:35  Error: a broken toy is not supported yet\n\
        0000 \n";
    lab.until("show protocols", |answer| answer == expected);
    assert!(lab.ask("show protocols \"p*\"").contains("\n1002-peer1 "));
    assert!(lab.ask("show protocols a").contains("\n1002-a "));
    assert_eq!(lab.ask("show protocols \"x*\""), "8003 No protocols match\n");
    assert!(lab.ask("show protocols nobody").starts_with("9001 "));
}

#[test]
fn protocols_all() {
    let lab = Lab::start(CONFIG);
    lab.until("show protocols a", |answer| answer.contains(" up "));
    let expected = "\
2002-Name       Proto      Table      State  Since         Info
1002-a          Toy        ---        up     2026-11-22 13:47:35  
1006-  Description:        first
   Created:            2026-11-22 13:47:35
   Toy state:          Whole
   Channel ipv4
     State:          UP
     Import state:   UP
     Export state:   READY
     Table:          master4
     Preference:     150
     Input filter:   ACCEPT
     Output filter:  f
     Import limit:   10 [HIT]
       Action:       block
     Routes:         3 imported, 2 filtered, 6 exported, 0 preferred
     Route change stats:     received   rejected   filtered    ignored   RX limit      limit   accepted
       Import updates:              0          0          0          0          0          0          0
       Import withdraws:            0          0        ---          0        ---        ---          0
       Export updates:              0          0          0          0        ---          0          0
       Export withdraws:            0        ---        ---          0        ---        ---          0
     Toy colour:     green
 
0000 
";
    assert_eq!(lab.ask("show protocols all a"), expected);
    let down = "1002-b          Toy        ---        down   2026-11-22 13:47:35  
1006-  Created:            2026-11-22 13:47:35
   Channel ipv4
     State:          DOWN
     Import state:   DOWN
     Export state:   DOWN
     Table:          t1
     Preference:     150
     Input filter:   ACCEPT
     Output filter:  REJECT
   Channel ipv6
";
    let answer = lab.ask("show protocols all b");
    assert!(answer.contains(down), "{answer}");
}

#[test]
fn routes() {
    let lab = Lab::start(CONFIG);
    lab.until("show route count", |answer| answer.contains("4 of 4"));
    let expected = "1007-Table master4:\n \
        192.0.2.0/24         blackhole [a 2026-11-22 13:47:35] * (150)\n                      \
        unicast [peer1 2026-11-22 13:47:35] (100) [AS64999i]\n \tvia 10.9.0.2 on veth0\n0000 \n";
    assert_eq!(lab.ask("show route 192.0.2.0/24"), expected);
    let lookup = lab.ask("show route for 10.1.2.3");
    assert!(lookup.contains("\n 10.0.0.0/8           blackhole [a "), "{lookup}");
    assert_eq!(lab.ask("show route 192.0.0.0/16"), "8001 Network not found\n");
    assert_eq!(lab.ask("show route for 11.0.0.1"), "8001 Network not found\n");
    assert_eq!(lab.ask("show route in 172.16.0.0/12"), "0000 \n");
    let inside = lab.ask("show route in 192.0.0.0/8 count");
    assert_eq!(inside, "1007-2 of 2 routes for 1 networks in table master4\n0000 \n");
    assert_eq!(lab.ask("show route table t1"), "1007-Table t1:\n0000 \n");
    assert_eq!(lab.ask("show route table nope").get(..5), Some("9001 "));
    let primary = lab.ask("show route primary 192.0.2.0/24");
    assert!(primary.contains("[a ") && !primary.contains("peer1"), "{primary}");
}

#[test]
fn route_counts() {
    let lab = Lab::start(CONFIG);
    let expected = "1007-4 of 4 routes for 3 networks in table master4\n \
        0 of 0 routes for 0 networks in table master6\n\
        0014 Total: 4 of 4 routes for 3 networks in 2 tables\n";
    lab.until("show route count", |answer| answer == expected);
    let one = lab.ask("show route protocol peer1 count");
    assert_eq!(one, "1007-2 of 4 routes for 3 networks in table master4\n0000 \n");
    let all = lab.ask("show route table all count");
    assert!(all.ends_with("0014 Total: 4 of 4 routes for 3 networks in 3 tables\n"), "{all}");
}

#[test]
fn route_attributes() {
    let lab = Lab::start(CONFIG);
    lab.until("show route count", |answer| answer.contains("4 of 4"));
    let expected = "1007-Table master4:\n \
        198.51.100.0/24      unicast [peer1 2026-11-22 13:47:35] * (100) [AS65002i]\n \
        \tvia 10.9.0.2 on veth0\n1012-\tpreference: 100\n \tfrom: 10.9.0.2\n \tsource: BGP\n \
        \tbgp_origin: IGP\n \tbgp_path: 65002\n \tbgp_next_hop: 10.9.0.2\n0000 \n";
    assert_eq!(lab.ask("show route all 198.51.100.0/24"), expected);
}

#[test]
fn routes_that_pass_a_filter() {
    let lab = Lab::start(CONFIG);
    lab.until("show route count", |answer| answer.contains("4 of 4"));
    for (condition, count) in
        [("net.len > 8", 3), ("bgp_path.last = 65002", 1), ("source = RTS_STATIC", 2)]
    {
        let answer = lab.ask(&format!("show route table master4 where {condition} count"));
        let expected = format!("1007-{count} of 4 routes for 3 networks in table master4\n0000 \n");
        assert_eq!(answer, expected, "{condition}");
    }
    let answer = lab.ask("show route filter f count");
    assert!(answer.starts_with("1007-4 of 4"), "{answer}");
    assert!(lab.ask("show route where nonsense").starts_with("9001 "));
}

#[test]
fn routes_towards_a_protocol() {
    let lab = Lab::start(CONFIG);
    lab.until("show route count", |answer| answer.contains("4 of 4"));
    // Of three networks, one is `a`'s own and too wide, one is `a`'s and small, one is peer1's.
    let to_peer = lab.ask("show route export peer1");
    assert!(to_peer.contains("192.0.2.0/24") && !to_peer.contains("10.0.0.0/8"), "{to_peer}");
    assert!(!to_peer.contains("198.51.100.0/24"), "its own route: {to_peer}");
    let from = lab.ask("show route export a");
    assert!(from.contains("198.51.100.0/24") && !from.contains("192.0.2.0/24"), "{from}");
    assert_eq!(lab.ask("show route noexport a"), "0000 \n");
}

#[test]
fn exports() {
    let lab = Lab::start(CONFIG);
    // Toys don't export through groups.
    let head = "1099-Group  Table      Members      Runs      Reused  Feeds   UPDATEs      Encoded      \
        Delivered Off log    Back\n ";
    let total = "Total                   0         0           0      0         0            0              \
        0       0       0\n0000 \n";
    assert_eq!(lab.ask("show export"), format!("{head}{total}"));
    assert!(lab.ask("show export now").starts_with("9001 "));
}

#[test]
fn interfaces_symbols_memory_threads() {
    let lab = Lab::start(CONFIG);
    let interfaces = lab.ask("show interfaces summary");
    assert!(interfaces.contains("veth0      up     10.9.0.1/24"), "{interfaces}");
    let symbols = lab.ask("show symbols");
    let lines = sorted(&symbols);
    assert!(lines.contains(&" t1      \trouting table"), "{symbols}");
    assert!(lines.contains(&" peer1   \tprotocol"), "{symbols}");
    assert_eq!(lab.ask("show symbols filter"), "1010-f       \tfilter\n0000 \n");
    assert_eq!(lab.ask("show symbols SIZE"), "1010-SIZE    \tconstant\n0000 \n");
    let memory = lab.ask("show memory");
    for line in [
        "Program itself:   1400.0 kB    560.0 kB",
        "Standby memory:      0.0  B    600.0 kB",
        "Total:            2424.0 kB   1672.0 kB",
        "Kept free pages:   600.0 kB",
        "Resident:         4096.0 kB",
    ] {
        assert!(memory.contains(&format!("\n {line}\n")), "{line}: {memory}");
    }
    let threads = lab.ask("show threads");
    assert!(threads.starts_with("1027-Thread ID       Working         Overhead"), "{threads}");
    assert_eq!(threads.lines().count(), 5, "{threads}");
    assert!(threads.contains(" All loops in group worker are assigned.\n"), "{threads}");
}

#[test]
fn the_number_of_threads_has_one_limit() {
    let lab = Lab::start(CONFIG);
    assert_eq!(lab.ask("threads 2"), "0000 \n");
    lab.until("show threads", |answer| answer.lines().count() == 6);
    assert_eq!(lab.ask("threads 1"), "0000 \n");
    assert_eq!(lab.ask("threads worker 2"), "0000 \n");
    lab.until("show threads", |answer| answer.lines().count() == 6);
    assert_eq!(lab.ask("threads auto 3 4"), "0000 \n");
    lab.until("show threads all", |answer| {
        answer.contains("Group worker (default): 3 workers of auto 3 4,")
    });
    assert_eq!(lab.ask("threads express 2"), "0000 \n");
    lab.until("show threads all", |answer| answer.contains("Group express: 0 workers of 2,"));
    assert_eq!(lab.ask("threads nobody 2"), "9001 Thread group nobody not found\n");
    assert_eq!(lab.ask("threads 1"), "0000 \n");
    let wrong = "9001 Number of threads must be in range 1-128\n";
    for count in ["0", "129", "256", "300"] {
        assert_eq!(lab.ask(&format!("threads {count}")), wrong);
    }
}

#[test]
fn what_slices_count_is_what_a_listing_finds() {
    let lab = Lab::start(CONFIG);
    lab.until("show route count", |answer| answer.contains("4 of 4"));
    let counts = |command: &str| -> Vec<String> {
        let answer = lab.ask(command);
        let lines = answer.lines().filter(|line| line.contains(" routes for "));
        lines.map(|line| line.trim_start_matches("1007-").trim_start().to_owned()).collect()
    };
    for which in [
        "",
        "table t1",
        "in 192.0.0.0/8",
        "protocol peer1",
        "primary",
        "primary protocol peer1",
        "primary protocol a in 192.0.0.0/8",
        "filtered",
        "all table all",
    ] {
        let listed = counts(&format!("show route {which} stats"));
        assert!(!listed.is_empty(), "{which}");
        assert_eq!(counts(&format!("show route {which} count")), listed, "{which}");
    }
}

#[test]
fn many_routes_come_in_pieces() {
    let routes: String =
        (0..5000).map(|n| format!("route 10.{}.{}.0/24;", n / 256, n % 256)).collect();
    let lab = Lab::start(&format!("protocol device {{ }} protocol toy a {{ ipv4; {routes} }}"));
    lab.until("show route count", |answer| answer.contains("5000 of 5000 routes for 5000"));
    let answer = lab.ask("show route");
    assert_eq!(answer.lines().count(), 5002);
    assert!(answer.ends_with("\n0000 \n"));
}

#[test]
fn other_commands() {
    let lab = Lab::start(CONFIG);
    assert_eq!(lab.ask("eval SIZE + 4"), "0023 7\n");
    assert!(lab.ask("eval 1 +").starts_with("9001 "));
    assert!(lab.ask("").starts_with("9001 "));
    assert!(lab.ask("bogus").starts_with("9001 "));
    assert_eq!(lab.ask("show ospf neighbors"), "9001 There is no OSPF protocol running\n");
    assert_eq!(lab.ask("timeformat \"%Y\""), "0000 \n");
    assert!(lab.ask("show status").contains("Last reboot on 2026\n"));
    assert_eq!(lab.ask("restrict"), "0016 Access restricted\n");
    assert_eq!(lab.ask("down"), "8007 Access denied\n");
    assert_eq!(lab.ask("disable a"), "8007 Access denied\n");
    assert!(lab.ask("configure status").starts_with("0003-Daemon is up and running\n"));
}
