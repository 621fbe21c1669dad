//! Command line -> settings -> serve or demo.

use std::{io::Write as _, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use tokio::runtime;
use vestibule::server::{
    settings::{Fault, Settings},
    startup::{self, StartupError},
    stderr, telemetry,
};

/// Wrong usage or settings; `clap` ends with the same.
const MISTAKEN: u8 = 2;

/// Signs people in to web applications with OpenID Connect.
#[derive(Parser)]
#[command(version, about, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Subcommand)]
enum Command {
    /// Serve sign-ins (the default).
    Serve(Serve),
    /// Try it: a provider and people of its own, all on loopback.
    #[cfg(feature = "demo")]
    Demo,
}

#[derive(clap::Args)]
struct Serve {
    /// The settings file [default: vestibule.toml, if it exists].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

fn main() -> ExitCode {
    // Until the end: then its last lines are written.
    let _stderr = match stderr::start() {
        Ok(started) => started,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "vestibule: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let Arguments { command, serve } = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(mistake) if mistake.use_stderr() => {
            stderr::print(mistake.to_string());
            return ExitCode::from(MISTAKEN);
        }
        // What was asked for: the help, or the version.
        Err(answer) => {
            let _ = answer.print();
            return ExitCode::SUCCESS;
        }
    };
    if let Err(fault) = telemetry::init() {
        return mistaken(&[fault]);
    }
    match command.unwrap_or(Command::Serve(serve)) {
        Command::Serve(Serve { config }) => match Settings::load(config.as_deref(), std::env::vars_os()) {
            Ok(settings) => run(startup::serve(settings)),
            Err(faults) => mistaken(&faults),
        },
        #[cfg(feature = "demo")]
        Command::Demo => run(vestibule::server::demo::demo()),
    }
}

fn run<E: Into<StartupError>>(program: impl Future<Output = Result<(), E>>) -> ExitCode {
    let ended = runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| StartupError::Failed(format!("cannot start: {error}")))
        .and_then(|runtime| runtime.block_on(program).map_err(Into::into));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(StartupError::Settings(fault)) => mistaken(&[fault]),
        Err(StartupError::Failed(error)) => {
            stderr::print(format!("vestibule: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

fn mistaken(faults: &[Fault]) -> ExitCode {
    for fault in faults {
        stderr::print(format!("vestibule: {fault}\n"));
    }
    ExitCode::from(MISTAKEN)
}
