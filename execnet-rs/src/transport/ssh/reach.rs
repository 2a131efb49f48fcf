//! What a connection of this process cannot do of what is configured for a host. The ssh program can. Pure.

use super::plan::Plan;

/// Settings that only the program heeds, where they are there at all.
const SET: [&str; 15] = [
    "proxyjump",
    "proxycommand",
    "controlpath",
    "certificatefile",
    "pkcs11provider",
    "knownhostscommand",
    "revokedhostkeys",
    "bindaddress",
    "bindinterface",
    "localforward",
    "remoteforward",
    "dynamicforward",
    "localcommand",
    "setenv",
    "ignoreunknown",
];

/// Settings that only the program heeds, unless they say no.
const UNLESS_NO: [&str; 6] = [
    "forwardagent",
    "forwardx11",
    "verifyhostkeydns",
    "gssapidelegatecredentials",
    "tunnel",
    "hostbasedauthentication",
];

/// RSA keys of hosts are not measured here.
const LEAST_RSA: u32 = 1024;

/// The first setting that is beyond a connection of this process.
pub(super) fn beyond(plan: &Plan) -> Option<String> {
    let settings = &plan.settings;
    if let Some(name) = SET.iter().find(|name| settings.get(name).is_some()) {
        return Some((*name).to_owned());
    }
    let no = |value: &str| matches!(value, "no" | "false");
    if let Some(name) = UNLESS_NO.iter().find(|name| settings.get(name).is_some_and(|value| !no(value))) {
        return Some((*name).to_owned());
    }
    if settings.get("pubkeyauthentication").is_some_and(no) {
        return Some("pubkeyauthentication".to_owned());
    }
    if settings.get("preferredauthentications").is_some_and(|kinds| !kinds.split(',').any(|kind| kind == "publickey")) {
        return Some("preferredauthentications".to_owned());
    }
    if settings.get("requiredrsasize").is_some_and(|bits| bits.parse().is_ok_and(|bits: u32| bits > LEAST_RSA)) {
        return Some("requiredrsasize".to_owned());
    }
    if settings.host().is_none() || settings.get("user").is_none() {
        return Some("hostname and user".to_owned());
    }
    // Whoever asks the program to be talkative wants to hear it.
    let verbose = |option: &&String| option.starts_with("-v") || option.starts_with("-E");
    plan.arguments.options.iter().find(verbose).cloned()
}

#[cfg(test)]
mod tests {
    use super::super::arguments::Arguments;
    use super::super::settings::Settings;
    use super::*;

    fn beyond_for(settings: &str, words: &str) -> Option<String> {
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        beyond(&Plan {
            program: "ssh".to_owned(),
            config: None,
            arguments: Arguments::sort(&words).unwrap(),
            settings: Settings::read(&format!("user me\nhostname host\n{settings}")),
            agents: Vec::new(),
        })
    }

    #[test]
    fn the_usual_settings_are_within_reach() {
        let debian = "proxycommand none\npubkeyauthentication true\ngssapiauthentication yes\nforwardagent no\ntunnel false\n\
                      verifyhostkeydns false\nrequiredrsasize 1024\ncontrolmaster false\nsendenv LANG\nforwardx11 no\n";
        assert_eq!(beyond_for(debian, "host"), None);
        assert_eq!(beyond_for("preferredauthentications hostbased,publickey", "-p 7 host"), None);
    }

    #[test]
    fn what_is_beyond_it_is_named() {
        for (settings, words, name) in [
            ("proxyjump jump", "host", "proxyjump"),
            ("proxycommand nc %h %p", "host", "proxycommand"),
            ("controlpath ~/.ssh/%C", "host", "controlpath"),
            ("certificatefile ~/.ssh/cert", "host", "certificatefile"),
            ("forwardagent yes", "host", "forwardagent"),
            ("verifyhostkeydns ask", "host", "verifyhostkeydns"),
            ("pubkeyauthentication no", "host", "pubkeyauthentication"),
            ("preferredauthentications password", "host", "preferredauthentications"),
            ("requiredrsasize 2048", "host", "requiredrsasize"),
            ("remoteforward 80 [a]:80", "host", "remoteforward"),
            ("", "-vv host", "-vv"),
        ] {
            assert_eq!(beyond_for(settings, words).as_deref(), Some(name), "{settings}");
        }
        let nobody = Plan { settings: Settings::default(), ..plan() };
        assert!(beyond(&nobody).is_some());
    }

    fn plan() -> Plan {
        Plan {
            program: "ssh".to_owned(),
            config: None,
            arguments: Arguments::sort(&["host".to_owned()]).unwrap(),
            settings: Settings::default(),
            agents: Vec::new(),
        }
    }
}
