//! `vagrant_ssh=MACHINE`: what vagrant says of a machine is a configuration for ssh.

use std::io::Write;
use std::time::Duration;

use tempfile::TempPath;

use super::program;

/// How long vagrant may take: it starts slowly.
const LIMIT: Duration = Duration::from_mins(1);

/// A machine of vagrant's.
#[derive(Debug)]
pub(super) struct Machine {
    /// What the configuration calls it.
    pub(super) name: String,
    /// The configuration, which is removed with this.
    pub(super) path: TempPath,
}

/// Asks vagrant.
pub(super) async fn settings_of(program: &str, machine: &str) -> Result<Machine, String> {
    let argv = [program, "ssh-config", machine].map(str::to_owned);
    let said = program::printed(&argv, LIMIT).await.map_err(|error| format!("cannot ask `{program}`: {error}"))?;
    let (config, complaint) = said;
    let name = host(&config).ok_or_else(|| {
        format!("`{program}` knows no way to `{machine}`: {}", complaint.lines().collect::<Vec<_>>().join("; "))
    })?;
    let written = tempfile::NamedTempFile::new().and_then(|mut file| {
        file.write_all(config.as_bytes())?;
        Ok(file.into_temp_path())
    });
    Ok(Machine { name, path: written.map_err(|error| format!("temporary file: {error}"))? })
}

/// The first host of a configuration.
fn host(config: &str) -> Option<String> {
    config.lines().find_map(|line| line.trim().strip_prefix("Host ")).map(|name| name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_has_the_name_that_its_configuration_has() {
        assert_eq!(host("\nHost default\n  HostName 127.0.0.1\n").as_deref(), Some("default"));
        assert_eq!(host("A VM must be created"), None);
    }
}
