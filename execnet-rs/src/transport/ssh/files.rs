//! Which settings count for a host, read from the files themselves: where there is no ssh program that could say it.
//!
//! What the parser does not know (`Match`, tokens) needs the program, and is an error.

use std::fmt::Write;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use ssh2_config::{Algorithms, HostParams, ParseRule, SshConfig};

use super::arguments::Arguments;
use super::settings::Settings;

/// What OpenSSH does where nothing is configured, as far as a connection of this process heeds it.
const DEFAULTS: &str = "port 22
identityfile ~/.ssh/id_rsa
identityfile ~/.ssh/id_ecdsa
identityfile ~/.ssh/id_ed25519
userknownhostsfile ~/.ssh/known_hosts ~/.ssh/known_hosts2
globalknownhostsfile /etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2
hostkeyalgorithms ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256
";

/// The settings for a destination: of the command line, then of the files.
pub(super) fn settings(arguments: &Arguments, config: Option<&str>, home: &Path) -> Result<Settings, String> {
    let (mut text, mut config) = (String::new(), config.map(PathBuf::from));
    let host = match arguments.destination.rsplit_once('@') {
        Some((user, host)) => {
            let _ = writeln!(text, "user {user}");
            host
        }
        None => &arguments.destination,
    };
    read_options(&arguments.options, &mut text, &mut config)?;
    let files = match config {
        Some(only) => vec![only],
        None => vec![home.join(".ssh/config"), PathBuf::from("/etc/ssh/ssh_config")],
    };
    for file in files {
        read_file(&file, host, home, &mut text)?;
    }
    let _ = writeln!(text, "hostname {host}");
    if let Some(user) = std::env::var("USER").ok().filter(|user| !user.is_empty()) {
        let _ = writeln!(text, "user {user}");
    }
    // Of settings that are there several times the first counts, but keys of one's own take the place of the usual ones.
    let usual = DEFAULTS.lines().filter(|line| !(line.starts_with("identityfile") && text.contains("\nidentityfile ")));
    let usual: Vec<&str> = usual.collect();
    Ok(Settings::read(&format!("{text}{}\n", usual.join("\n"))))
}

/// Options as settings.
fn read_options(options: &[String], text: &mut String, config: &mut Option<PathBuf>) -> Result<(), String> {
    let mut words = options.iter();
    text.push('\n');
    while let Some(word) = words.next() {
        let mut letters = word.trim_start_matches('-').chars();
        let Some(letter) = letters.next() else { continue };
        let mut value = || match letters.as_str() {
            "" => words.next().cloned().unwrap_or_default(),
            rest => rest.to_owned(),
        };
        let line = match letter {
            'p' => format!("port {}", value()),
            'l' => format!("user {}", value()),
            'i' => format!("identityfile {}", value()),
            'J' => format!("proxyjump {}", value()),
            'c' => format!("ciphers {}", value()),
            'm' => format!("macs {}", value()),
            'o' => value().replacen('=', " ", 1),
            'F' => {
                *config = Some(PathBuf::from(value()));
                continue;
            }
            '4' => "addressfamily inet".to_owned(),
            '6' => "addressfamily inet6".to_owned(),
            'C' => "compression yes".to_owned(),
            'T' | 'a' | 'k' | 'q' | 'x' => continue,
            other => return Err(format!("`-{other}` of `ssh=` needs OpenSSH's client, and there is none here")),
        };
        let _ = writeln!(text, "{line}");
    }
    Ok(())
}

/// What a file says of a host; nothing if it is not there.
fn read_file(path: &Path, host: &str, home: &Path, text: &mut String) -> Result<(), String> {
    let Ok(file) = File::open(path) else { return Ok(()) };
    let wrong =
        |what: &str| format!("`{}` has {what}, which needs OpenSSH's client, and there is none here", path.display());
    let rules = ParseRule::ALLOW_UNKNOWN_FIELDS | ParseRule::ALLOW_UNSUPPORTED_FIELDS;
    let parsed = SshConfig::default().home_dir(home).parse(&mut BufReader::new(file), rules);
    let params = parsed.map_err(|error| format!("`{}`: {error}", path.display()))?.query(host);
    let others = || params.ignored_fields.iter().chain(&params.unsupported_fields);
    if others().any(|(name, _)| name.eq_ignore_ascii_case("match")) {
        return Err(wrong("`Match`"));
    }
    for (name, values) in others() {
        let _ = writeln!(text, "{} {}", name.to_ascii_lowercase(), values.join(" "));
    }
    write_known(&params, text);
    Ok(())
}

fn write_known(params: &HostParams, text: &mut String) {
    let yes = |yes: bool| if yes { "yes" } else { "no" };
    let mut line = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = writeln!(text, "{name} {value}");
        }
    };
    line("hostname", params.host_name.clone());
    line("port", params.port.map(|port| port.to_string()));
    line("user", params.user.clone());
    line("compression", params.compression.map(|on| yes(on).to_owned()));
    line("connecttimeout", params.connect_timeout.map(|limit| limit.as_secs().to_string()));
    line("proxyjump", params.proxy_jump.as_ref().map(|hosts| hosts.join(",")));
    line("bindaddress", params.bind_address.clone());
    line("bindinterface", params.bind_interface.clone());
    line("certificatefile", params.certificate_file.as_ref().map(|file| file.display().to_string()));
    line("forwardagent", params.forward_agent.map(|on| yes(on).to_owned()));
    line("pubkeyauthentication", params.pubkey_authentication.map(|on| yes(on).to_owned()));
    line("remoteforward", (!params.remote_forward.is_empty()).then(|| "yes".to_owned()));
    for file in params.identity_file.iter().flatten() {
        line("identityfile", Some(file.display().to_string()));
    }
    let chosen = |list: &Algorithms| (!list.is_default()).then(|| list.algorithms().join(","));
    line("ciphers", chosen(&params.ciphers));
    line("macs", chosen(&params.mac));
    line("kexalgorithms", chosen(&params.kex_algorithms));
    line("hostkeyalgorithms", chosen(&params.host_key_algorithms));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &str, config: &str) -> Result<Settings, String> {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("config");
        std::fs::write(&file, config).unwrap();
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        settings(&Arguments::sort(&words).unwrap(), file.to_str(), home.path())
    }

    #[test]
    fn the_command_line_counts_before_the_file_and_that_before_what_is_usual() {
        let config = "Host box\n  HostName 10.0.0.1\n  Port 23\n  User they\n  IdentityFile /key\n  ProxyCommand nc\n\
                      UserKnownHostsFile /known\nHost *\n  Ciphers aes128-ctr\n";
        let settings = read("-p 22 -4 me@box -o HostKeyAlias=name", config).unwrap();
        assert_eq!((settings.host(), settings.port(), settings.get("user")), (Some("10.0.0.1"), 22, Some("me")));
        assert_eq!(settings.all("identityfile").collect::<Vec<_>>(), ["/key"]);
        assert_eq!(settings.get("proxycommand"), Some("nc"));
        assert_eq!(settings.get("userknownhostsfile"), Some("/known"));
        assert_eq!((settings.get("ciphers"), settings.get("addressfamily")), (Some("aes128-ctr"), Some("inet")));
        assert_eq!(settings.get("hostkeyalias"), Some("name"));
        let other = read("other", config).unwrap();
        assert_eq!((other.host(), other.port()), (Some("other"), 22));
        assert!(other.all("identityfile").count() > 1 && other.get("hostkeyalgorithms").is_some());
    }

    #[test]
    fn what_only_the_program_understands_is_an_error() {
        for (words, config) in [("-L 1:a:2 box", ""), ("box", "Host box\nMatch host box\n  Port 7\n")] {
            let error = read(words, config).unwrap_err();
            assert!(error.contains("OpenSSH's client"), "{words}: {error}");
        }
    }
}
