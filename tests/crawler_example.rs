//! The example that crawls a folder, as a user runs it.

#[path = "../examples/crawler/main.rs"]
#[expect(dead_code, reason = "`main` is called in the example's own binary alone")]
mod crawler;

use crawler::Options;
use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::time::Duration;

/// A folder of these pages.
fn site(pages: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (page, text) in pages {
        let path = folder.path().join(page);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

fn said(options: &Options) -> String {
    let mut out = Vec::new();
    crawler::run(options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn every_page_is_read_once_and_broken_links_are_named() {
    let site = site(&[
        ("index.html", r##"<a href="a/one.html">one</a> <a href="two.html#here">two</a> <a href="#top">top</a>"##),
        ("a/one.html", r#"<a href="../index.html">back</a> <a href="gone.html">gone</a>"#),
        ("two.html", r#"<a href="a/gone.html">gone</a> <a href="https://example.org/">elsewhere</a>"#),
        ("nobody-links-here.html", ""),
    ]);
    let said = said(&Options::new(site.path()));
    assert_eq!(said, "4 pages, 3 read\na/gone.html is not there, linked from a/one.html, two.html\n");
}

#[test]
fn a_large_site_is_read_whole_by_tasks_that_spawn_tasks() {
    let pages: Vec<_> = (0..500)
        .map(|n| {
            let mut text = String::new();
            for link in [2 * n + 1, 2 * n + 2, n / 2].into_iter().filter(|&link| link < 500) {
                write!(text, r#"<a href="{link}.html">{link}</a>"#).unwrap();
            }
            (format!("{n}.html"), text)
        })
        .collect();
    let pages: Vec<_> = pages.iter().map(|(page, text)| (&**page, &**text)).collect();
    let site = site(&pages);
    let options = Options {
        start: "0.html".into(),
        at_once: NonZeroUsize::new(3).unwrap(),
        deadline: Duration::from_secs(60),
        ..Options::new(site.path())
    };
    assert_eq!(said(&options), "500 pages, 500 read\n");
}

#[test]
fn a_crawl_that_has_no_time_says_so() {
    let site = site(&[("index.html", "")]);
    let options = Options { deadline: Duration::ZERO, ..Options::new(site.path()) };
    let said = said(&options);
    assert!(said.starts_with("0 pages, 0 read\nnot all were read: cancelled: "), "{said}");
}
