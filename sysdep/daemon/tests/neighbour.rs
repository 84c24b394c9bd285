//! A session with another daemon over the loopback interface.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure is what a test is for")]

mod common;

use std::process::{Child, Command, Stdio};

use common::{Place, free_port, wait_for};

/// Debian's BIRD, killed at the end.
struct Bird(Child);

impl Drop for Bird {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn birdc(place: &Place, command: &str) -> String {
    let mut client = Command::new("birdc");
    let out = client.arg("-s").arg(place.path("bird.ctl")).arg(command).output().unwrap();
    String::from_utf8_lossy(&out.stdout).into_owned()
}

#[test]
fn routes_are_exchanged_with_bird() {
    let place = Place::new("bird");
    let (ours, theirs) = (free_port(), free_port());
    let daemon = place.daemon(
        &format!(
            "log stderr all;\nrouter id 192.0.2.1;\nprotocol device {{ }}\n\
             protocol static s4 {{ ipv4; route 192.0.2.0/24 blackhole {{\n\
             bgp_community.add((65000, 7)); }}; }}\n\
             protocol bgp b {{ local 127.0.0.1 port {ours} as 65000; multihop;\n\
             neighbor range 127.0.0.0/8 external;\n\
             ipv4 {{ import all; export all; }}; }}\n"
        ),
        &["-P", "pid"],
    );
    place.write(
        "bird.conf",
        &format!(
            "log stderr all;\nrouter id 198.51.100.1;\nprotocol device {{ }}\n\
             protocol static {{ ipv4; route 198.51.100.0/24 blackhole; }}\n\
             protocol bgp d {{ local 127.0.0.2 port {theirs} as 65001; multihop; strict bind;\n\
             neighbor 127.0.0.1 port {ours} as 65000; connect delay time 1;\n\
             ipv4 {{ import all; export all; }}; }}\n"
        ),
    );
    let mut bird = Command::new("bird");
    bird.args(["-f", "-c"]).arg(place.path("bird.conf"));
    bird.arg("-s").arg(place.path("bird.ctl")).arg("-P").arg(place.path("bird.pid"));
    bird.stderr(Stdio::null()).stdout(Stdio::null());
    let Ok(child) = bird.spawn() else { panic!("bird is missing: install bird2") };
    let _bird = Bird(child);
    assert!(
        wait_for(|| daemon.ask("show route").contains("198.51.100.0/24")),
        "{}",
        daemon.ask("show protocols all")
    );
    let mut seen = String::new();
    let arrived = wait_for(|| {
        seen = birdc(&place, "show route all protocol d");
        seen.contains("192.0.2.0/24")
    });
    assert!(arrived, "{seen}");
    for expected in ["BGP.as_path: 65000", "BGP.community: (65000,7)"] {
        assert!(seen.contains(expected), "no {expected} in {seen}");
    }
    // The end is told to the neighbour.
    daemon.signal("TERM");
    let told =
        wait_for(|| birdc(&place, "show protocols all d").contains("Administrative shutdown"));
    assert!(told, "{}", birdc(&place, "show protocols all d"));
}
