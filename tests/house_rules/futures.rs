//! The public futures of a room, as the rules that concern them need them.

use super::Source;
use super::rust::{braced, code_only, without_tests, words};

/// A public future, or a public function whose result is one.
pub(crate) struct PublicFuture<'a> {
    pub(crate) source: &'a Source,
    /// Where the `pub` stands.
    pub(crate) at: usize,
    /// Its name within the room: `Sleep`, `Scope::move_on_at`, `pump`.
    pub(crate) name: String,
}

/// The public futures of the files of a room.
///
/// A future is a public type with an `impl Future`, and a public function that is `async` or returns `impl Future`. A
/// function that returns a named future type leaves everything to the type.
pub(crate) fn public_futures<'a>(room: &[&'a Source]) -> Vec<PublicFuture<'a>> {
    let stripped: Vec<String> = room.iter().map(|source| without_tests(&code_only(&source.text))).collect();
    let mut types = Vec::new();
    for code in &stripped {
        for (at, after) in words(code, "Future") {
            let implemented =
                code[..at].rsplit(['}', ';']).next().is_some_and(|before| !words(before, "impl").is_empty());
            if let (true, Some(name)) = (implemented, code[after..].strip_prefix(" for ")) {
                types.push(last_name(name));
            }
        }
    }
    let mut futures = Vec::new();
    for (&source, code) in room.iter().zip(&stripped) {
        for (at, _) in words(code, "pub") {
            let head = code[at..].split(['{', ';']).next().unwrap_or_default();
            let named = ["pub struct ", "pub enum "].iter().find_map(|keyword| head.strip_prefix(keyword));
            let name = match named.map(last_name) {
                Some(name) if types.contains(&name) => name,
                None if returns_future(head) => {
                    let name = last_name(&head[words(head, "fn")[0].1 + 1..]);
                    implementor(code, at).map_or(name.clone(), |implementor| format!("{implementor}::{name}"))
                }
                _ => continue,
            };
            futures.push(PublicFuture { source, at, name });
        }
    }
    futures
}

/// The last name of the path that `text` begins with.
fn last_name(text: &str) -> String {
    let path: String = text.chars().take_while(|c| c.is_alphanumeric() || "_:".contains(*c)).collect();
    path.rsplit(':').next().unwrap_or_default().to_owned()
}

/// The type of the `impl` block around byte `at`.
fn implementor(code: &str, at: usize) -> Option<String> {
    let (_, head) = words(&code[..at], "impl").into_iter().rev().find(|&(_, after)| {
        let open = after + code[after..].find('{').unwrap_or_default();
        open < at && at < open + braced(&code[open..]).len()
    })?;
    let head = code[head..].split('{').next().unwrap_or_default().trim_start();
    let generics = if head.starts_with('<') { angled(head) } else { 0 };
    let head = head[generics..].trim_start();
    Some(last_name(head.rsplit(" for ").next().unwrap_or(head)))
}

/// The length of the group in angle brackets that `code` begins with.
fn angled(code: &str) -> usize {
    let mut depth = 0;
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'<' => depth += 1,
            b'>' if !code[..at].ends_with('-') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}

/// Whether the signature `head`, from `pub` to its body, is that of a function whose result is a future.
fn returns_future(head: &str) -> bool {
    let before_name = head.split('(').next().unwrap_or_default();
    if words(before_name, "fn").is_empty() {
        return false;
    }
    // Bounds may have arrows of their own.
    let head = words(head, "where").first().map_or(head, |(at, _)| &head[..*at]);
    let result = head.rsplit("->").next().unwrap_or_default().trim_start();
    let opaque = head.contains("->") && result.starts_with("impl ") && !words(result, "Future").is_empty();
    opaque || !words(before_name, "async").is_empty()
}
