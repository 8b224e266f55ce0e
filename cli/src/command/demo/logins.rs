//! The demo's logins: passwords are generated once and kept in the data directory, mode 0600.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::exit::{FAILED, Failure, Result};

/// One login.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Login {
    pub(crate) institution: String,
    pub(crate) role: String,
    pub(crate) password: String,
}

const FILE: &str = "demo-logins.json";

/// The logins by user name; an empty map before the demo was made.
pub(crate) fn read(data_dir: &Path) -> BTreeMap<String, Login> {
    std::fs::read_to_string(data_dir.join(FILE))
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default()
}

/// Keeps the logins for the next start.
pub(crate) fn write(data_dir: &Path, logins: &BTreeMap<String, Login>) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let text = serde_json::to_string_pretty(logins).map_err(|error| Failure::new(FAILED, error.to_string()))?;
    let path = data_dir.join(FILE);
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    Ok(())
}

/// The logins for people.
pub(crate) fn table(data_dir: &Path) -> Result<String> {
    let mut text = String::from("Logins\n");
    for (name, login) in read(data_dir) {
        text.push_str(&format!("  {name:<12} {:<24} {:<10} {}\n", login.password, login.role, login.institution));
    }
    Ok(text)
}
