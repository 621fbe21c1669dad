//! Command line -> settings -> serve, demo or an answer about the rules.

use std::{io::Write as _, path::PathBuf, process::ExitCode};

use clap::{CommandFactory as _, Parser, Subcommand, error::ErrorKind};
use tokio::runtime;
use vestibule::server::{
    keys,
    rules_check::Question,
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
    /// What to do. `--config` may stand before a command or behind it, once.
    fn chosen(self) -> Result<Command, clap::Error> {
        let mut command = self.command.unwrap_or(Command::Serve(Serve { config: None }));
        match (command.config(), self.serve.config) {
            (_, None) => {}
            (Some(behind @ None), before) => *behind = before,
            (_, Some(_)) => {
                let what = "--config is given twice, or to a command that reads no settings";
                return Err(Self::command().error(ErrorKind::ArgumentConflict, what));
            }
        }
        Ok(command)
    }
}

#[derive(Subcommand)]
enum Command {
    /// Serve sign-ins (the default).
    Serve(Serve),
    /// Ask the rules of the applications behind the proxy.
    #[command(subcommand)]
    Rules(Rules),
    /// The private keys that prove at providers who this is (client_auth = "private_key_jwt").
    #[command(subcommand)]
    Keys(Keys),
    /// Try it: a provider and people of its own, all on loopback.
    #[cfg(feature = "demo")]
    Demo,
}

impl Command {
    /// Where it keeps the settings file, if it reads settings.
    const fn config(&mut self) -> Option<&mut Option<PathBuf>> {
        match self {
            Self::Serve(serve) => Some(&mut serve.config),
            Self::Rules(Rules::Check(question)) => Some(&mut question.config),
            Self::Keys(Keys::Show(show)) => Some(&mut show.config),
            Self::Keys(Keys::New(_)) => None,
            #[cfg(feature = "demo")]
            Self::Demo => None,
        }
    }
}

#[derive(Subcommand)]
enum Rules {
    /// Who gets in at a URL, and which rule says so. Exit codes: 0 gets in, 1 does not, 2 wrong usage or settings.
    Check(Question),
}

#[derive(Subcommand)]
enum Keys {
    /// Make a key file, for private_key_file.
    New(keys::New),
    /// Print the public keys of all private_key_file, as a set in JSON that a provider can take.
    Show(keys::Show),
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
        Command::Rules(Rules::Check(question)) => check_rules(&question),
        Command::Keys(Keys::New(new)) => told(new.make()),
        Command::Keys(Keys::Show(show)) => match Settings::load(show.config.as_deref(), std::env::vars_os()) {
            Ok(settings) => told(show.keys(&settings)),
            Err(faults) => mistaken(&faults),
        },
        #[cfg(feature = "demo")]
        Command::Demo => run(vestibule::server::demo::demo()),
    }
}

fn told(answer: Result<String, String>) -> ExitCode {
    match answer {
        Ok(answer) => match write!(std::io::stdout(), "{answer}").and_then(|()| std::io::stdout().flush()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                stderr::print(format!("vestibule: cannot print: {error}\n"));
                ExitCode::FAILURE
            }
        },
        Err(error) => {
            stderr::print(format!("vestibule: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

fn check_rules(question: &Question) -> ExitCode {
    let settings = match Settings::load(question.config.as_deref(), std::env::vars_os()) {
        Ok(settings) => settings,
        Err(faults) => return mistaken(&faults),
    };
    match question.answer(settings) {
        Ok(answer) => {
            let _ = write!(std::io::stdout(), "{}", answer.why);
            if answer.gets_in { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(mistake) => {
            stderr::print(format!("vestibule: {mistake}\n"));
            ExitCode::from(MISTAKEN)
        }
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
