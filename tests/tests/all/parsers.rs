//! Parsers stand any bytes: the kept corpus, the files of the cases, and so many changes of these that a run stays short.
//!
//! `SHADOWDIFF_MUTATIONS=N` tries more of them; a failure names its parser, its seed and the file that was changed.

use shadowdiff_core::mix;
use shadowdiff_tests::case;
use shadowdiff_tests::parsers::{PARSERS, Parser, corpus};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Changed inputs of each parser.
const MUTATIONS: u64 = 1500;
/// Longer inputs make the tries slow, and show nothing more.
const LONGEST: usize = 16 << 10;
/// What parsers have special words for.
const WORDS: [&[u8]; 16] = [
    b"\"",
    b",",
    b"\n",
    b"\r\n",
    b"\0",
    b"{",
    b"}",
    b"[",
    b": ",
    b"- ",
    b"null",
    b"1e999",
    b"-0",
    b"\xef\xbb\xbf",
    b"\xff\xff\xff\xff",
    b"\\u0000",
];

#[test]
fn no_bytes_make_a_parser_panic() {
    let mutations = std::env::var("SHADOWDIFF_MUTATIONS").map_or(MUTATIONS, |text| text.parse().expect("a number"));
    let failed: Vec<String> = std::thread::scope(|scope| {
        let running: Vec<_> = PARSERS.iter().map(|parser| scope.spawn(move || check(parser, mutations))).collect();
        running
            .into_iter()
            .filter_map(|one| one.join().expect("a check catches panics").err())
            .collect()
    });
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

fn check((name, parser): &Parser, mutations: u64) -> Result<(), String> {
    let mut inputs = corpus(name);
    inputs.extend(of_cases(name));
    for (path, bytes) in &inputs {
        catch_unwind(AssertUnwindSafe(|| parser(bytes))).map_err(|_| format!("{name}: {}", path.display()))?;
    }
    inputs.retain(|(_, bytes)| bytes.len() <= LONGEST);
    for seed in 0..mutations {
        let mut state = seed;
        let (path, bytes) = &inputs[below(&mut state, inputs.len())];
        let other = &inputs[below(&mut state, inputs.len())].1;
        let changed = changed(bytes, other, &mut state);
        catch_unwind(AssertUnwindSafe(|| parser(&changed))).map_err(|_| format!("{name}: {} changed with seed {seed}", path.display()))?;
    }
    Ok(())
}

/// The files of the cases that this parser reads.
fn of_cases(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folders = case::folders();
    let wanted = |path: &Path| match name {
        "spec" => path.ends_with("spec.yaml"),
        "csv" => path.extension().is_some_and(|e| e == "csv"),
        "json" => path.extension().is_some_and(|e| e == "jsonl" || e == "ndjson"),
        _ => false,
    };
    let mut found = Vec::new();
    let mut left = folders;
    while let Some(path) = left.pop() {
        if path.is_dir() {
            let inside = std::fs::read_dir(&path).expect("a folder of a case");
            left.extend(inside.map(|entry| entry.expect("an entry").path()));
        } else if wanted(&path) {
            let bytes = std::fs::read(&path).expect("a file of a case");
            found.push((path, bytes));
        }
    }
    found.sort();
    found
}

fn below(state: &mut u64, limit: usize) -> usize {
    (mix::next(state) % limit.max(1) as u64) as usize
}

/// A few changes of every kind.
fn changed(bytes: &[u8], other: &[u8], state: &mut u64) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=below(state, 4) {
        let at = below(state, bytes.len() + 1);
        let end = (at + below(state, 16)).min(bytes.len());
        match below(state, 7) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => drop(bytes.splice(at..end, WORDS[below(state, WORDS.len())].iter().copied())),
            3 => {
                let part = other[below(state, other.len() + 1)..].iter().take(64).copied();
                bytes.splice(at..at, part);
            }
            4 => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            5 => bytes[at..end].iter_mut().for_each(|byte| *byte = mix::next(state) as u8),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << (mix::next(state) % 8);
                }
            }
        }
    }
    bytes
}
