//! Many people, or one who asks for much: each test here uses all of the machine.

mod cluster;
mod fairness;
mod flood;
mod gate;
mod soak;

use tokio::sync::Mutex;

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

/// One at a time: two would measure each other. (`make test` runs them apart from all others.)
static TURN: Mutex<()> = Mutex::const_new(());
