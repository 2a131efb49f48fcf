//! What stands behind `ssh=`: options of the ssh program and one destination. Pure.

/// Options that take an argument, as ssh(1) lists them.
const WITH_ARGUMENT: &str = "BbcDEeFIiJLlmOoPpQRSWw";

/// Options with which the program does something else than run a command with its standard streams as they are.
const REFUSED: &str = "fGNnOQstVW";

/// The arguments of an ssh program, sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Arguments {
    /// Options and their arguments, each word as it was.
    pub(super) options: Vec<String>,
    /// `[user@]host`.
    pub(super) destination: String,
}

impl Arguments {
    /// Sorts the words of a spec. As with the program itself, options may stand on both sides of the destination.
    ///
    /// # Errors
    /// If there is no destination, or something that cannot lead to an agent.
    pub(super) fn sort(words: &[String]) -> Result<Self, String> {
        let (mut options, mut destination) = (Vec::new(), None);
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.strip_prefix('-') {
                None | Some("") => {
                    if let Some(first) = destination.replace(word.clone()) {
                        return Err(format!("`ssh=` takes options and one host, and has both `{first}` and `{word}`"));
                    }
                }
                Some(letters) => {
                    options.push(word.clone());
                    if wants_argument(letters)? {
                        let argument = words.next().ok_or_else(|| format!("`{word}` of `ssh=` lacks its argument"))?;
                        options.push(argument.clone());
                    }
                }
            }
        }
        let destination = destination.filter(|host| host != "-").ok_or("`ssh=` names no host")?;
        Ok(Self { options, destination })
    }
}

/// Whether the next word belongs to these letters behind a dash.
fn wants_argument(letters: &str) -> Result<bool, String> {
    for (at, letter) in letters.char_indices() {
        if REFUSED.contains(letter) {
            return Err(format!("`-{letter}` of `ssh=` leaves no way to an agent"));
        }
        if WITH_ARGUMENT.contains(letter) {
            return Ok(at + letter.len_utf8() == letters.len());
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(text: &str) -> Result<(String, String), String> {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        Arguments::sort(&words).map(|arguments| (arguments.options.join(" "), arguments.destination))
    }

    #[test]
    fn options_and_host_are_told_apart() {
        for (text, options, destination) in [
            ("host", "", "host"),
            ("user@host", "", "user@host"),
            ("-p 22 user@host", "-p 22", "user@host"),
            ("-p22 -vA host", "-p22 -vA", "host"),
            ("-vp 22 host", "-vp 22", "host"),
            ("host -i key -o Port=7", "-i key -o Port=7", "host"),
            ("-oProxyJump=a,b::1 ::1", "-oProxyJump=a,b::1", "::1"),
            ("-J jump host", "-J jump", "host"),
        ] {
            assert_eq!(sorted(text), Ok((options.to_owned(), destination.to_owned())), "{text}");
        }
    }

    #[test]
    fn what_leads_to_no_agent_is_refused() {
        for (text, word) in [
            ("", "no host"),
            ("-v", "no host"),
            ("-", "no host"),
            ("host -p", "lacks"),
            ("host uptime", "uptime"),
            ("-N host", "-N"),
            ("-vtt host", "-t"),
            ("-W a:1 host", "-W"),
        ] {
            let error = sorted(text).unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
