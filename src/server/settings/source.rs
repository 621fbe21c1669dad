//! What the file and the environment say, side by side, with only its form checked.

use std::{ffi::OsString, path::Path};

use super::{fault::Fault, given::Given};

mod environment;
mod file;

/// Reads the file and then the environment over it, with what is wrong in their form.
///
/// # Errors
/// The file cannot be read at all: then nothing else can be checked, since any key might be in it.
pub(super) fn gather(
    config: Option<&Path>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<(Given, Vec<Fault>), Fault> {
    let mut given = Given::default();
    let mut faults = Vec::new();
    file::gather(config, &mut given, &mut faults)?;
    environment::gather(env, &mut given, &mut faults);
    Ok((given, faults))
}
