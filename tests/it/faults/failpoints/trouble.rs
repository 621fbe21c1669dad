//! What a server is made to do, by fail points.

use mongodb::bson::{Document, doc};

use crate::support::mongo::Server;

/// What the server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Every command fails with this code.
    FailingOver(i32),
    /// Reads succeed, writes fail with this code.
    Refusing(i32),
    /// The primary becomes a secondary for so many seconds, and there is no other.
    SteppedDown(i32),
    /// Every command takes so many milliseconds more.
    Slow(i32),
    /// Every write does; reads are quick.
    SlowToWrite(i32),
    /// Every command ends the connection.
    Cut,
    /// Writes are made, but the majority does not confirm them in time.
    Unconfirmed,
}

/// Longer than the driver looks for a primary, and shorter than anybody waits.
pub const STEPPED_DOWN: Trouble = Trouble::SteppedDown(4);
/// Longer than a few requests take.
pub const STEPPED_DOWN_FOR_LONG: Trouble = Trouble::SteppedDown(15);
pub const FAILING_OVER: Trouble = Trouble::FailingOver(10_107);
pub const FULL: Trouble = Trouble::Refusing(14_031);
/// Longer than any operation may take.
pub const SLOW: Trouble = Trouble::Slow(10_000);

pub const EVERY: [Trouble; 10] = [
    FAILING_OVER,
    Trouble::FailingOver(11_602),
    Trouble::FailingOver(189),
    Trouble::Refusing(10_107),
    Trouble::Refusing(13_435),
    FULL,
    SLOW,
    Trouble::SlowToWrite(10_000),
    Trouble::Cut,
    Trouble::Unconfirmed,
];

impl Trouble {
    pub const fn name(self) -> &'static str {
        match self {
            Self::FailingOver(10_107) => "fails over (NotWritablePrimary)",
            Self::FailingOver(189) => "fails over (PrimarySteppedDown)",
            Self::FailingOver(_) => "fails over (InterruptedDueToReplStateChange)",
            Self::Refusing(10_107) => "refuses writes (NotWritablePrimary)",
            Self::Refusing(13_435) => "refuses writes (NotPrimaryNoSecondaryOk)",
            Self::Refusing(_) => "is full (OutOfDiskSpace)",
            Self::SteppedDown(_) => "steps down, and nobody takes over",
            Self::Slow(10_000) => "takes 10 s for each command",
            Self::Slow(_) => "takes 300 ms for each command",
            Self::SlowToWrite(_) => "takes 10 s for each write",
            Self::Cut => "closes the connection at each command",
            Self::Unconfirmed => "writes, but not to the majority in time",
        }
    }

    /// Whether reads succeed.
    pub const fn can_be_read(self) -> bool {
        matches!(self, Self::Refusing(_) | Self::SlowToWrite(_) | Self::Unconfirmed)
    }

    /// Whether a write may be made although it seemed to fail.
    pub const fn may_write(self) -> bool {
        matches!(self, Self::SlowToWrite(_) | Self::Unconfirmed)
    }

    /// Whether reads wait too once a write has failed: the driver looks for another primary.
    pub const fn casts_doubt(self) -> bool {
        matches!(self, Self::Refusing(10_107 | 13_435))
    }

    /// Begins, until [`Self::ends`] or for so many commands.
    pub async fn begins(self, server: &Server, commands: Commands, times: Option<i32>) {
        let mut data = match self {
            Self::SteppedDown(seconds) => return server.step_down(seconds).await,
            Self::FailingOver(code) | Self::Refusing(code) => doc! { "errorCode": code },
            Self::Slow(ms) | Self::SlowToWrite(ms) => doc! { "blockConnection": true, "blockTimeMS": ms },
            Self::Cut => doc! { "closeConnection": true },
            Self::Unconfirmed => doc! { "writeConcernError": unconfirmed() },
        };
        let commands = match commands {
            Commands::All if self.can_be_read() => &ALL[..WRITES],
            Commands::All => &ALL,
            Commands::Updates => &["update"],
            Commands::OfUsers => &["findAndModify"],
            Commands::Inserts => &["insert"],
        };
        data.insert("failCommands", commands);
        server.fail(data, times).await;
    }

    pub async fn ends(self, server: &Server) {
        server.succeed().await;
        server.primary().await;
    }
}

fn unconfirmed() -> Document {
    doc! {
        "code": 64, "codeName": "WriteConcernFailed", "errmsg": "waiting for replication timed out",
        "errInfo": { "wtimeout": true },
    }
}

const ALL: [&str; 7] = ["insert", "update", "delete", "findAndModify", "createIndexes", "find", "aggregate"];
/// So many of these write.
const WRITES: usize = 5;

/// Which commands a trouble is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commands {
    /// All that it can be about.
    All,
    /// Claim, lease and verdict.
    Updates,
    /// Looking a user up, which also notes the sign-in.
    OfUsers,
    /// A new user, a new session.
    Inserts,
}
