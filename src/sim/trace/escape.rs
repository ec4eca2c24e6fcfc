//! Names and texts of the user's, in JSON and in XML.

use super::words::line;
use alloc::string::String;
use core::fmt::{self, Write};

/// A text as a JSON string, quotes included.
pub(super) struct Json<'a>(pub(super) &'a str);

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                // Also what is no control character to JSON but ends a line in JavaScript.
                c if c.is_control() || c == '\u{2028}' || c == '\u{2029}' => write!(f, "\\u{:04x}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

/// A text in XML, in an element or in an attribute; on one line, and without the characters that XML does not know.
pub(super) struct Xml<'a>(pub(super) &'a str);

impl fmt::Display for Xml<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: String = line(self.0, usize::MAX);
        for c in text.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\u{fffe}' | '\u{ffff}' => f.write_char('\u{fffd}')?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn json_strings_hold_any_text() {
        for (text, json) in [
            ("plain é", r#""plain é""#),
            ("\"\\/", r#""\"\\/""#),
            ("a\nb\u{0}\u{1b}\u{7f}", r#""a\u000ab\u0000\u001b\u007f""#),
            ("\u{2028}</script>", r#""\u2028</script>""#),
        ] {
            assert_eq!(format!("{}", Json(text)), json);
        }
    }

    #[test]
    fn xml_texts_hold_any_text_on_one_line() {
        for (text, xml) in [
            ("plain é '", "plain é '"),
            ("<b a=\"1\">&amp;]]></b>", "&lt;b a=&quot;1&quot;&gt;&amp;amp;]]&gt;&lt;/b&gt;"),
            ("a\nb\r\t\u{0}", "a\\nb\\u{d}\\u{9}\\u{0}"),
            ("\u{ffff}\u{202e}", "\u{fffd}\\u{202e}"),
        ] {
            assert_eq!(format!("{}", Xml(text)), xml);
        }
    }
}
