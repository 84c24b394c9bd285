//! The configuration: read from a file, or the one in the program.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use dunlin_conf::{Diagnostic, OsFiles, Severity, SourceMap};
use dunlin_core::config::{
    Config, Kinds, Loaded, Rejected, load_to_run, load_with_sources, parse_text_with_sources,
};
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
    let (loaded, _) = load(options, kinds);
    loaded.map_err(|rejected| {
        print(&rejected);
        Refused
    })
}

/// Reads the configuration that was asked for, and gives its text too.
pub(crate) fn load(options: &Options, kinds: &Kinds) -> (Loaded, Arc<SourceMap>) {
    dunlin_filter::read_system_names(&OsFiles);
    match &options.config {
        None => parse_text_with_sources(EXAMPLE.name, EXAMPLE.text, kinds),
        // Only who is to do what is written must be able to.
        Some(path) if options.command == Command::Run && !options.lenient => {
            let loaded = load_to_run(&absolute(path.clone()), &OsFiles, kinds);
            (loaded, Arc::default())
        }
        Some(path) => load_with_sources(&absolute(path.clone()), &OsFiles, kinds),
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
///
/// # Errors
/// If standard output cannot be written.
pub(crate) fn check(options: &Options) -> io::Result<ExitCode> {
    let (loaded, sources) = load(options, &kinds());
    let code = if loaded.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    if options.json {
        writeln!(io::stdout().lock(), "{{\n{}\n}}", findings(&loaded))?;
        return Ok(code);
    }
    match &loaded {
        Ok(config) => config.warnings.iter().for_each(|warning| print_warning(warning, &sources)),
        Err(rejected) => print(rejected),
    }
    // The process ends: the system takes back a hundred thousand pieces at once.
    core::mem::forget((loaded, sources));
    Ok(code)
}

/// Everything that was found: first BIRD's line, then the piece of text.
pub(crate) fn print(rejected: &Rejected) {
    for text in rejected.render_each() {
        eprint!("dunlin: {text}");
    }
    let (errors, warnings) = rejected.left_out();
    if errors + warnings > 0 {
        eprintln!("dunlin: {errors} more errors and {warnings} more warnings are not shown");
    }
}

/// Statements without effect have a line each: there may be many, and each says why.
fn print_warning(warning: &Diagnostic, sources: &SourceMap) {
    match warning.severity {
        Severity::NoEffect => eprintln!("dunlin: {warning}"),
        _ => eprint!("dunlin: {}", dunlin_conf::render(warning, sources)),
    }
}

/// What was found, as the members of a JSON object.
pub(crate) fn findings(loaded: &Loaded) -> String {
    let all: &[Diagnostic] = match loaded {
        Ok(config) => &config.warnings,
        Err(rejected) => rejected.diagnostics(),
    };
    let list = |severity: Severity| {
        let found = all.iter().filter(|one| one.severity == severity);
        let objects: Vec<String> =
            found.map(|one| format!("\n    {}", dunlin_conf::json::object(one))).collect();
        let end = if objects.is_empty() { "" } else { "\n  " };
        format!("[{}{end}]", objects.join(","))
    };
    let left_out = loaded.as_ref().err().map_or((0, 0), Rejected::left_out);
    format!(
        "  \"accepted\": {},\n  \"errors\": {},\n  \"warnings\": {},\n  \"without_effect\": {},\n  \
         \"errors_left_out\": {},\n  \"warnings_left_out\": {}",
        loaded.is_ok(),
        list(Severity::Error),
        list(Severity::Warning),
        list(Severity::NoEffect),
        left_out.0,
        left_out.1,
    )
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
