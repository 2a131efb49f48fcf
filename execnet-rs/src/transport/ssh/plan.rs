//! Everything that is known before a connection is tried. Pure.

use std::time::Duration;

use super::agents::Agent;
use super::arguments::Arguments;
use super::bootstrap;
use super::settings::Settings;

/// How long connecting may take where nothing is configured.
const CONNECT: u64 = 10;

/// A way to a host.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// The ssh program.
    pub(super) program: String,
    /// `ssh_config=FILE`, or a machine's own.
    pub(super) config: Option<String>,
    /// What stands behind `ssh=`.
    pub(super) arguments: Arguments,
    /// What counts for this host.
    pub(super) settings: Settings,
    /// What can be sent there.
    pub(super) agents: Vec<Agent>,
}

impl Plan {
    /// The host as it was named.
    pub(super) fn host(&self) -> &str {
        &self.arguments.destination
    }

    /// How long connecting may take.
    pub(super) fn connect_limit(&self) -> Duration {
        Duration::from_secs(self.settings.connect_timeout().unwrap_or(CONNECT))
    }

    /// The command that becomes the agent.
    pub(super) fn command(&self) -> String {
        let offers: Vec<_> = self.agents.iter().map(|agent| agent.offer.clone()).collect();
        bootstrap::command(&offers)
    }

    /// The words that start the program. Of options that are there twice, the first counts.
    pub(super) fn argv(&self, asks: bool) -> Vec<String> {
        let mut argv = vec![self.program.clone()];
        if let Some(config) = &self.config {
            argv.extend(["-F".to_owned(), config.clone()]);
        }
        let mut option = |text: String| argv.extend(["-o".to_owned(), text]);
        option("RemoteCommand=none".to_owned());
        if !asks {
            option("BatchMode=yes".to_owned());
        }
        if self.settings.connect_timeout().is_none() {
            option(format!("ConnectTimeout={CONNECT}"));
        }
        argv.extend(self.arguments.options.iter().cloned());
        argv.extend(["-T", "-e", "none", "--"].map(str::to_owned));
        argv.extend([self.arguments.destination.clone(), self.command()]);
        argv
    }
}

/// The words that ask the program for the settings that count for a host.
pub(super) fn ask_for_settings(program: &str, config: Option<&str>, arguments: &Arguments) -> Vec<String> {
    let mut argv = vec![program.to_owned(), "-G".to_owned()];
    if let Some(config) = config {
        argv.extend(["-F".to_owned(), config.to_owned()]);
    }
    argv.extend(arguments.options.iter().cloned());
    argv.extend(["--".to_owned(), arguments.destination.clone()]);
    argv
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_gets_what_was_said_and_what_a_link_needs() {
        let words = ["-p", "22", "me@host"].map(str::to_owned);
        let plan = Plan {
            program: "ssh".to_owned(),
            config: Some("file".to_owned()),
            arguments: Arguments::sort(&words).unwrap(),
            settings: Settings::default(),
            agents: Vec::new(),
        };
        let argv = plan.argv(false);
        let (command, words) = argv.split_last().unwrap();
        let expected =
            "ssh -F file -o RemoteCommand=none -o BatchMode=yes -o ConnectTimeout=10 -p 22 -T -e none -- me@host";
        assert_eq!(words.join(" "), expected);
        assert_eq!(command, &plan.command());
        assert!(!plan.argv(true).contains(&"BatchMode=yes".to_owned()));
        let hasty = Plan { settings: Settings::read("connecttimeout 3"), ..plan.clone() };
        assert!(!hasty.argv(false).iter().any(|word| word.contains("ConnectTimeout")));
        assert_eq!((hasty.connect_limit(), plan.connect_limit()), (Duration::from_secs(3), Duration::from_secs(10)));
        let asking = ask_for_settings("ssh", None, &plan.arguments);
        assert_eq!(asking.join(" "), "ssh -G -p 22 -- me@host");
    }
}
