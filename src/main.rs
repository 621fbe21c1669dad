//! Command line -> settings -> serve or demo.

use std::{io::Write as _, path::PathBuf, process::ExitCode};

use clap::{CommandFactory as _, Parser, Subcommand, error::ErrorKind};
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
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

impl Arguments {
    /// What to do. `--config` may stand before `serve` or behind it, once, and belongs to nothing else.
    fn chosen(self) -> Result<Command, clap::Error> {
        match (self.command, self.serve) {
            (None | Some(Command::Serve(Serve { config: None })), before) => Ok(Command::Serve(before)),
            (Some(command), Serve { config: None }) => Ok(command),
            (Some(_), Serve { config: Some(_) }) => {
                let what = "--config is given twice, or to a command that reads no settings";
                Err(Self::command().error(ErrorKind::ArgumentConflict, what))
            }
        }
    }
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
    let command = match Arguments::try_parse().and_then(Arguments::chosen) {
        Ok(command) => command,
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
    match command {
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
