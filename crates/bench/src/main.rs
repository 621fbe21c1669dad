//! What a check of the gate costs. `tools/bench.py` and `tools/instructions.py` run this beside the program.

/// A handler with nothing in it, to compare with.
mod bare;
/// Checks within this process, as a proxy asks for them.
mod checks;
/// Many people who are signed in.
mod people;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use vestibule::server::settings::Settings;

/// What may go wrong in a tool for ourselves.
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Measures what a check of the gate costs.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves 200 and nothing else, on a port that the system chooses and that is printed.
    Bare,
    /// Makes sessions, in the store alone, and writes cookies for those that are to be used, one a line.
    People(people::Arguments),
    /// Asks with one cookie, one time after the other and without a network: for callgrind, which counts.
    Ask {
        /// The settings file.
        config: PathBuf,
        /// The file with the cookie.
        cookies: PathBuf,
        /// How often.
        times: u32,
        /// Asks the handler with nothing in it.
        #[arg(long)]
        bare: bool,
    },
    /// Asks once with each cookie, and prints by how many bytes the process has grown.
    Memory {
        /// The settings file.
        config: PathBuf,
        /// The file with the cookies.
        cookies: PathBuf,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Bare => bare::serve(),
        Command::People(arguments) => people::sign_in(arguments),
        Command::Ask { config, cookies, times, bare } => checks::ask(&config, &cookies, times, bare),
        Command::Memory { config, cookies } => checks::memory(&config, &cookies),
    };
    let Err(error) = done else { return ExitCode::SUCCESS };
    let _ = writeln!(std::io::stderr(), "bench: {error}");
    ExitCode::FAILURE
}

fn settings(config: &Path) -> Outcome<Settings> {
    let faults = |faults: Vec<_>| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    Ok(Settings::load(Some(config), []).map_err(faults)?)
}
