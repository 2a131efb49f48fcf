//! What a spec says, or where it is wrong and what would be valid.
//!
//! `cargo run --example specs -- '2*popen//python=python3//env:A=b' 'popen//nice=very'`

use execnet_rs::xspec::XSpec;

#[expect(clippy::print_stdout, reason = "an example shows what it does")]
fn show(text: &str) {
    match XSpec::expand(text) {
        Ok(specs) => {
            for spec in specs {
                match spec.transport() {
                    Ok(transport) => println!("{spec}: {transport:?}"),
                    Err(error) => println!("{error}\n{}", error.pointer()),
                }
                for (key, value) in spec.parts() {
                    println!("    {key:20} {}", value.unwrap_or("-"));
                }
                for key in spec.unknown_keys() {
                    println!("    `{key}` is nobody's here, and is kept");
                }
            }
        }
        Err(error) => println!("{error}\n{}", error.pointer()),
    }
}

fn main() {
    let mut texts: Vec<String> = std::env::args().skip(1).collect();
    if texts.is_empty() {
        let usual =
            ["2*popen//python=python3 -X dev//env:A=b=c//rank=7", "ssh=-p 22 me@box//chdir=src", "popen//nice=very"];
        texts.extend(usual.map(str::to_owned));
    }
    for text in texts {
        show(&text);
    }
}
