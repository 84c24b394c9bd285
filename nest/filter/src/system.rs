//! Numbers that the system gives names: `ipp_` for protocols, `ipr_` for realms, `ips_` for scopes,
//! `ipt_` for routing tables.

use std::{collections::HashMap, path::Path, sync::OnceLock};

use dunlin_conf::Files;

/// How names start, and the database that has them.
const DATABASES: &[(&str, &str)] =
    &[("ipp_", "rt_protos"), ("ipr_", "rt_realms"), ("ips_", "rt_scopes"), ("ipt_", "rt_tables")];

/// Where the databases are. What is in the earlier one holds.
const FOLDERS: &[&str] = &["/etc/iproute2", "/usr/share/iproute2", "/usr/lib/iproute2"];

type Names = HashMap<String, u32>;

static NAMES: OnceLock<Names> = OnceLock::new();

/// Reads the system's databases: once for a process, before its first configuration is read.
/// Without, the names are those that every system has.
pub fn read_system_names(files: &dyn Files) {
    NAMES.get_or_init(|| read(files));
}

/// The number of a name of the system, as `ipt_main`.
#[must_use]
pub(crate) fn system_constant(name: &str) -> Option<u32> {
    if !name.starts_with("ip") {
        return None;
    }
    NAMES.get().and_then(|names| names.get(name).copied()).or_else(|| well_known(name))
}

fn read(files: &dyn Files) -> Names {
    let mut names = Names::new();
    for folder in FOLDERS {
        for (start, database) in DATABASES {
            add(&mut names, start, files, &Path::new(folder).join(database));
            let more = Path::new(folder).join(format!("{database}.d"));
            let mut found = files.list(&more).unwrap_or_default();
            found.sort();
            for file in found.iter().filter(|file| file.ends_with(".conf")) {
                add(&mut names, start, files, &more.join(file));
            }
        }
    }
    names
}

/// Adds what a file says: on each line a number and its name.
fn add(names: &mut Names, start: &str, files: &dyn Files, path: &Path) {
    let Ok(bytes) = files.read(path) else { return };
    for line in String::from_utf8_lossy(&bytes).lines() {
        let mut words = line.split('#').next().unwrap_or("").split_whitespace();
        if let (Some(number), Some(name)) = (words.next().and_then(number), words.next()) {
            let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
            let name: String = start.chars().chain(name.chars().map(plain)).collect();
            names.entry(name).or_insert(number);
        }
    }
}

/// A decimal or hexadecimal number.
fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn well_known(name: &str) -> Option<u32> {
    Some(match name {
        "ipt_unspec" | "ipr_cosmos" | "ips_global" | "ipp_unspec" => 0,
        "ipt_default" | "ips_link" => 253,
        "ipt_main" | "ips_host" => 254,
        "ipt_local" | "ips_nowhere" => 255,
        "ips_site" => 200,
        "ipp_redirect" => 1,
        "ipp_kernel" => 2,
        "ipp_boot" => 3,
        "ipp_static" => 4,
        "ipp_gated" => 8,
        "ipp_ra" => 9,
        "ipp_mrt" => 10,
        "ipp_zebra" => 11,
        "ipp_bird" => 12,
        "ipp_dnrouted" => 13,
        "ipp_xorp" => 14,
        "ipp_ntk" => 15,
        "ipp_dhcp" => 16,
        "ipp_babel" => 42,
        "ipp_bgp" => 186,
        "ipp_isis" => 187,
        "ipp_ospf" => 188,
        "ipp_rip" => 189,
        "ipp_eigrp" => 192,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use dunlin_conf::MemoryFiles;

    use super::*;

    #[test]
    fn databases_name_numbers_and_the_first_folder_holds() {
        let files = MemoryFiles::default()
            .with(
                "/etc/iproute2/rt_tables",
                "# a comment\n254 main\n100\tcustomer-a # why\nbad line\n",
            )
            .with("/usr/share/iproute2/rt_tables", "7 main\n0x1f deep\n")
            .with("/etc/iproute2/rt_protos.d/own.conf", "99 own\n")
            .with("/etc/iproute2/rt_protos.d/own.txt", "98 other\n");
        let names = read(&files);
        let of = |name: &str| names.get(name).copied();
        assert_eq!(of("ipt_main"), Some(254));
        assert_eq!(of("ipt_customer_a"), Some(100));
        assert_eq!(of("ipt_deep"), Some(31));
        assert_eq!((of("ipp_own"), of("ipp_other")), (Some(99), None));
        assert_eq!(system_constant("ipt_main"), Some(254));
        assert_eq!(system_constant("ipt_nothing"), None);
    }
}
