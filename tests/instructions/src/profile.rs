//! Reads callgrind's output; its form is described in valgrind's manual, "Callgrind Format Specification".

use std::collections::HashMap;

/// The instructions spent in each function and in what it calls. Right for functions that don't call themselves.
pub fn inclusive(profile: &str) -> HashMap<&str, u64> {
    let mut names = HashMap::new();
    let mut costs: HashMap<&str, u64> = HashMap::new();
    let mut function = "";
    for line in profile.lines() {
        if let Some(name) = line.strip_prefix("fn=") {
            function = resolve(&mut names, name);
        } else if let Some(name) = line.strip_prefix("cfn=") {
            resolve(&mut names, name);
        } else if line.starts_with(|c: char| c.is_ascii_digit() || "+-*".contains(c)) {
            // A line of the source, and the cost: of the function itself, or, after `calls=`, of what was called.
            let cost = line.split(' ').nth(1).and_then(|cost| cost.parse::<u64>().ok());
            *costs.entry(function).or_default() += cost.unwrap_or_else(|| panic!("a cost in `{line}`"));
        }
    }
    costs
}

/// The name that `text`, such as `(7) main` or a later `(7)`, stands for.
fn resolve<'a>(names: &mut HashMap<&'a str, &'a str>, text: &'a str) -> &'a str {
    match text.split_once(' ') {
        Some((id, name)) => {
            names.insert(id, name);
            name
        }
        None => names.get(text).copied().unwrap_or(text),
    }
}
