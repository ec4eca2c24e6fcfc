//! Reading Rust, as far as the rules need it.

use std::fmt::Write as _;

/// `text` with comments and the contents of string and character literals blanked; every byte keeps its place.
pub(crate) fn code_only(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut blank = |range: std::ops::Range<usize>| {
        out[range].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
    };
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let end = if rest.starts_with("//") {
            let end = at + rest.find('\n').unwrap_or(rest.len());
            blank(at..end);
            end
        } else if rest.starts_with("/*") {
            let end = at + block_comment(rest);
            blank(at..end);
            end
        } else if let Some((open, len)) = string_literal(rest) {
            blank(at + open..at + len);
            at + len
        } else if let Some(len) = char_literal(rest) {
            blank(at + 1..at + len - 1);
            at + len
        } else if is_word(bytes[at]) {
            at + rest.bytes().position(|byte| !is_word(byte)).unwrap_or(rest.len())
        } else {
            at + rest.chars().next().map_or(1, char::len_utf8)
        };
        at = end;
    }
    String::from_utf8(out).expect("whole literals and comments were blanked")
}

/// The length of the block comment, which may hold others, that `rest` begins with.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        let tail = &rest.as_bytes()[at..];
        if tail.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if tail.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// The opening's length and the whole length of the string literal, plain or raw, that `rest` begins with.
fn string_literal(rest: &str) -> Option<(usize, usize)> {
    let prefix = ["r", "br", "cr", "b", "c", ""].into_iter().find(|prefix| {
        let hashes = rest.strip_prefix(prefix).map(|tail| tail.trim_start_matches('#').starts_with('"'));
        let raw = prefix.ends_with('r') || rest[prefix.len().min(rest.len())..].starts_with('"');
        hashes == Some(true) && raw
    })?;
    let tail = &rest[prefix.len()..];
    let hashes = tail.bytes().take_while(|byte| *byte == b'#').count();
    let open = prefix.len() + hashes + 1;
    if prefix.ends_with('r') {
        let close = format!("\"{}", "#".repeat(hashes));
        return Some((open, rest[open..].find(&close).map_or(rest.len(), |at| open + at + close.len())));
    }
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate().skip(open) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some((open, at + 1)),
            _ => {}
        }
    }
    Some((open, rest.len()))
}

/// The length of the character literal that `rest` begins with; a lifetime is none.
fn char_literal(rest: &str) -> Option<usize> {
    let inside = rest.strip_prefix('\'')?;
    let first = inside.chars().next()?;
    let len = if first == '\\' { 1 + inside[1..].chars().next()?.len_utf8() } else { first.len_utf8() };
    let close = inside.get(len..)?.find('\'')? + len;
    (first == '\\' || close == len).then_some(close + 2)
}

fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}

/// Where `word` begins and ends in `code`, as a word of its own.
pub(crate) fn words(code: &str, word: &str) -> Vec<(usize, usize)> {
    let bytes = code.as_bytes();
    code.match_indices(word)
        .map(|(at, _)| (at, at + word.len()))
        .filter(|&(at, end)| (at == 0 || !is_word(bytes[at - 1])) && !bytes.get(end).copied().is_some_and(is_word))
        .collect()
}

/// The braced group that `code` begins with, braces included.
pub(crate) fn braced(code: &str) -> &str {
    let mut depth = 0;
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &code[..=at];
        }
    }
    code
}

/// Each first name after `crate::`, a group's members one by one, with its place.
pub(crate) fn paths_from_root(code: &str) -> Vec<(usize, String)> {
    let name = |text: &str| -> String { text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    let mut found = Vec::new();
    for (at, after) in words(code, "crate") {
        let Some(rest) = code[after..].strip_prefix("::") else {
            continue;
        };
        if !rest.starts_with('{') {
            found.push((at, name(rest)));
            continue;
        }
        let mut depth = 0;
        let mut member = String::new();
        for c in braced(rest).chars() {
            depth += i32::from(c == '{') - i32::from(c == '}');
            let ends = depth == 0 || (depth == 1 && c == ',');
            if ends && !member.trim().is_empty() {
                found.push((at, name(member.trim())));
            }
            match c {
                _ if ends => member.clear(),
                '{' if member.is_empty() => {}
                _ => member.push(c),
            }
        }
    }
    found
}

/// `code` with every item behind `#[cfg(test)]` or `#[cfg(all(test, …))]` blanked.
pub(crate) fn without_tests(code: &str) -> String {
    let mut out = code.as_bytes().to_vec();
    for (start, end, _) in test_items(code) {
        out[start..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
    }
    String::from_utf8(out).expect("whole items were blanked")
}

/// Start, end and head of each item that is there for tests only.
pub(crate) fn test_items(code: &str) -> Vec<(usize, usize, &str)> {
    let mut items = Vec::new();
    for gate in ["#[cfg(test)]", "#[cfg(all(test,"] {
        for (start, _) in code.match_indices(gate) {
            let behind = start + code[start..].find(']').map_or(code.len() - start, |at| at + 1);
            let head = code[behind..].find(['{', ';']).map_or(code.len(), |at| behind + at);
            let end = if code[head..].starts_with('{') {
                head + braced(&code[head..]).len()
            } else {
                (head + 1).min(code.len())
            };
            items.push((start, end, code[behind..head].trim()));
        }
    }
    items
}

/// The doc comment above the item at byte `at`; attributes may stand between.
pub(crate) fn docs_above(text: &str, at: usize) -> String {
    let mut docs = String::new();
    for line in text[..at].lines().rev().skip(usize::from(!text[..at].ends_with('\n'))) {
        let line = line.trim();
        if line.is_empty() || line.ends_with(['}', ';', '{']) && !line.starts_with("//") {
            break;
        }
        if line.starts_with("///") {
            writeln!(docs, "{line}").expect("writing to a string");
        }
    }
    docs
}
