//! Where results go and what they tell: nothing that is not ours is touched, no mixture passes for a result, no secret is shown.

use shadowdiff_tests::binary::{self, Run};
use shadowdiff_tests::cluster::{Cluster, Place, StoreServer};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use tempfile::TempDir;

/// A folder with two small datasets that differ.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    put(folder.path(), "l.csv", "id,v\n1,2\n2,3\n");
    put(folder.path(), "s.csv", "id,v\n1,2\n2,4\n");
    folder
}

fn put(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("the folder can be made");
    std::fs::write(path, text).expect("the file can be written");
}

fn run(folder: &Path, arguments: &str) -> Run {
    binary::run(folder, &arguments.split_whitespace().collect::<Vec<_>>()).expect("the run ends")
}

/// All files below a folder, by name.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).expect("the folder can be listed") {
            let path = entry.expect("the folder can be listed").path();
            if path.is_dir() && !path.is_symlink() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below").to_string_lossy().into_owned();
                found.insert(
                    name,
                    String::from_utf8_lossy(&std::fs::read(&path).unwrap_or_default()).into_owned(),
                );
            }
        }
    }
    found
}

const COMPARE: &str = "compare --live l.csv --shadow s.csv --key id";

#[test]
fn a_folder_that_holds_an_input_is_never_written_to() {
    for (what, make, arguments) in [
        ("a foreign summary", "summary.json", format!("{COMPARE} -o .")),
        ("an input among files of ours", "out/notes.txt", format!("{COMPARE} -o out/..")),
        ("a link to the folder", "x", format!("{COMPARE} -o link")),
        (
            "a folder above",
            "x",
            "compare --live deep/l.csv --shadow deep/s.csv --key id -o .".into(),
        ),
        (
            "a folder inside an input",
            "x",
            "compare --live in --shadow s.csv --key id -o in/out".into(),
        ),
        (
            "a folder inside an input, by default",
            "x",
            "compare --live . --shadow deep --key id".into(),
        ),
    ] {
        let folder = folder();
        let here = folder.path();
        for copy in ["deep/l.csv", "deep/s.csv", "in/l.csv"] {
            put(here, copy, "id,v\n1,2\n");
        }
        std::os::unix::fs::symlink(".", here.join("link")).expect("a link");
        put(here, make, "{\"version\": 1}");
        let before = files(here);
        for arguments in [arguments.clone(), format!("{arguments} --overwrite")] {
            let got = run(here, &arguments);
            assert_eq!(got.exit, 2, "{what}: {arguments}: {}{}", got.stdout, got.stderr);
            assert!(got.stderr.contains("output: "), "{what}: {}", got.stderr);
            assert_eq!(files(here), before, "{what}: {arguments}");
        }
    }
}

#[test]
fn a_dataset_that_links_into_the_output_is_seen_once_it_is_listed() {
    let folder = folder();
    let here = folder.path();
    assert_eq!(run(here, &format!("{COMPARE} -o out")).exit, 1);
    put(here, "out/old.csv", "id,v\n1,2\n");
    std::fs::create_dir(here.join("in")).expect("a folder");
    std::os::unix::fs::symlink("../out/old.csv", here.join("in/l.csv")).expect("a link");
    let before = files(here);
    let got = run(here, "compare --live in --shadow s.csv --key id -o out --overwrite");
    assert_eq!((got.exit, got.stderr.contains("in/l.csv")), (2, true), "{}", got.stderr);
    assert_eq!(files(here), before);
}

#[test]
fn what_lies_beside_an_older_result_stays() {
    let folder = folder();
    let here = folder.path();
    assert_eq!(run(here, &format!("{COMPARE} -o out")).exit, 1);
    put(here, "out/review.md", "looks right");
    put(here, "out/charts/a.svg", "<svg/>");
    let first = files(here);
    let got = run(here, "compare --live l.csv --shadow l.csv --key id -o out --overwrite");
    assert_eq!(got.exit, 0, "{}", got.stderr);
    let second = files(here);
    assert_eq!(
        first.keys().collect::<Vec<_>>(),
        second.keys().collect::<Vec<_>>(),
        "nothing came and nothing went"
    );
    assert_eq!(second["out/review.md"], "looks right");
    assert_ne!(first["out/diff.csv"], second["out/diff.csv"]);
    assert_eq!(run(here, "report out").exit, 0);
}

#[test]
fn a_mixture_of_two_results_is_none() {
    let folder = folder();
    let here = folder.path();
    run(here, &format!("{COMPARE} -o one"));
    run(here, "compare --live s.csv --shadow l.csv --key id -o two");
    for table in ["diff.csv", "accounts.csv"] {
        std::fs::write(here.join("two/extra"), "").expect("write");
        let kept = std::fs::read(here.join("two").join(table)).expect("a table");
        std::fs::write(here.join("two").join(table), [&kept[..], b"\n"].concat()).expect("write");
        let got = run(here, "report two");
        assert_eq!((got.exit, got.stderr.contains(table)), (2, true), "{}", got.stderr);
        std::fs::write(here.join("two").join(table), kept).expect("write");
    }
    std::fs::copy(here.join("one/diff.csv"), here.join("two/diff.csv")).expect("copy");
    assert_eq!(run(here, "report two").exit, 2, "of the same length");
}

#[test]
fn an_output_over_http_is_refused_at_once() {
    let folder = folder();
    let got = run(
        folder.path(),
        "compare --live nowhere.csv --shadow nowhere.csv --key id -o http://127.0.0.1:1/out",
    );
    assert_eq!((got.exit, got.stderr.contains("only read")), (2, true), "{}", got.stderr);
}

/// A file over HTTP, as `python -m http.server` gives it: whole, whatever range was asked for. Only with the right login and query.
fn whole_file_server(text: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut asked = Vec::new();
            let mut buffer = [0; 4096];
            while !asked.windows(4).any(|w| w == b"\r\n\r\n") {
                match stream.read(&mut buffer) {
                    Ok(read) if read > 0 => asked.extend_from_slice(&buffer[..read]),
                    _ => break,
                }
            }
            let asked = String::from_utf8_lossy(&asked).into_owned();
            // user:PLANTED-PASSWORD
            let may = asked.contains("sig=PLANTED-QUERY") && asked.contains("dXNlcjpQTEFOVEVELVBBU1NXT1JE");
            let (status, body) = if may { ("200 OK", text) } else { ("403 Forbidden", "") };
            let length = body.len();
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
            );
        }
    });
    format!("http://user:PLANTED-PASSWORD@{address}/l.csv?sig=PLANTED-QUERY")
}

fn assert_secret_free(what: &str, text: &str) {
    assert!(!text.contains("PLANTED"), "{what} tells a secret: {text}");
}

#[test]
fn no_secret_of_a_url_is_shown() {
    let url = whole_file_server("id,v\n1,2\n2,3\n");
    let folder = folder();
    let here = folder.path();
    let wrong = url.replace("sig=PLANTED-QUERY", "sig=PLANTED-WRONG");
    put(here, "spec.yaml", &format!("live: '{url}'\nshadow: s.csv\naccount: id\n"));
    put(
        here,
        "lists.yaml",
        &format!("live: l.csv\nshadow: s.csv\naccount: id\nexpected: [{{name: n, accounts: {{file: '{wrong}'}}}}]\n"),
    );
    put(
        here,
        "torn.yaml",
        &format!("live: '{url}'\nshadow: s.csv\naccount: id\ncomparaters: []\n"),
    );
    for (exit, arguments) in [
        (1, "compare spec.yaml -o out --log trace".to_owned()),
        (1, format!("compare --live {url} --shadow s.csv --key id -o out2 --json")),
        (1, "report out".into()),
        (1, "report out --json".into()),
        (0, "check spec.yaml --log trace".into()),
        (0, format!("init {url} s.csv")),
        (2, format!("compare --live {wrong} --shadow s.csv --key id -o out3 --log trace")),
        (2, "compare lists.yaml -o out4 --log trace".into()),
        (2, "compare torn.yaml".into()),
        (2, format!("compare spec.yaml -o {url}")),
        (2, format!("compare spec.yaml --bogus={url}")),
        (2, format!("{COMPARE} -o s3://PLANTED-KEY:PLANTED-SECRET@bucket/out")),
        (2, "compare --live postgres://u:PLANTED@h --shadow s.csv --key id".into()),
        (2, "compare --live s3://u:PLANTED@b/x.csv --shadow s.csv --key id".into()),
        (
            2,
            "compare --live s3://b/x.csv?X-Amz-Signature=PLANTED --shadow s.csv --key id".into(),
        ),
        (2, "compare --live ftp://u:PLANTED@h/x --shadow s.csv --key id".into()),
        (2, "compare spec.yaml --coordinator http://u:PLANTED@127.0.0.1:1 -o out5".into()),
        (
            2,
            "coordinator --state s3://u:PLANTED@b/state --listen 127.0.0.1:0 --log trace".into(),
        ),
        (2, "coordinator --state http://u:PLANTED@h/state --listen 127.0.0.1:0".into()),
    ] {
        let got = run(here, &arguments);
        assert_secret_free(&arguments, &got.stdout);
        assert_secret_free(&arguments, &got.stderr);
        assert_eq!(got.exit, exit, "{arguments}: {}{}", got.stdout, got.stderr);
    }
    for (name, text) in files(here).iter().filter(|(name, _)| name.starts_with("out")) {
        assert_secret_free(name, text);
    }
    let summary = &files(here)["out/summary.json"];
    assert!(summary.contains("/l.csv?…"), "the address itself is told: {summary}");
}

#[test]
fn no_secret_reaches_a_cluster() {
    let url = whole_file_server("id,v\n1,2\n2,3\n");
    let folder = folder();
    let here = folder.path();
    let cluster = Cluster::start(here, Place::directory(&here.join("state")), 1);
    put(here, "spec.yaml", &format!("live: '{url}'\nshadow: s.csv\naccount: id\n"));
    put(here, "plain.yaml", "live: l.csv\nshadow: s.csv\naccount: id\noutput: out\n");
    for arguments in [&["submit", "spec.yaml"][..], &["submit", "spec.yaml", "--wait", "-o", "out"]] {
        let got = cluster.client(arguments);
        assert_eq!(got.exit, 2, "{}", got.stderr);
        assert!(got.stderr.contains("one process only"), "{}", got.stderr);
        assert_secret_free("submit", &got.stderr);
    }
    // A local output is the client's: written by one that waits, refused for one that does not.
    let got = cluster.client(&["submit", "plain.yaml"]);
    assert_eq!((got.exit, got.stderr.contains("--wait")), (2, true), "{}", got.stderr);
    let got = cluster.client(&["submit", "plain.yaml", "--wait"]);
    assert_eq!(got.exit, 1, "{}\n{}", got.stderr, cluster.logs());
    assert_eq!(run(here, "report out").exit, 1);
    for (name, text) in files(&here.join("state")) {
        assert_secret_free(&name, &text);
    }
    assert_secret_free("the logs", &cluster.logs());
}

#[test]
fn a_coordinator_keeps_a_bucket_as_one_process_does() {
    let server_folder = tempfile::tempdir().expect("a folder");
    let server = StoreServer::start("moto", server_folder.path());
    let folder = folder();
    let here = folder.path();
    let bucket = server.place.url.trim_end_matches("state").to_owned();
    let mut place = Place::directory(&here.join("state"));
    place.environment = server.place.environment.clone();
    let cluster = Cluster::start(here, place, 1);
    let spec = |name: &str, output: &str| {
        put(
            here,
            name,
            &format!("live: l.csv\nshadow: s.csv\naccount: id\noutput: {bucket}{output}\n"),
        );
    };
    spec("out.yaml", "out");
    spec("foreign.yaml", "foreign");
    server.put("foreign/accounts.csv", &here.join("l.csv"));
    for (arguments, exit, says) in [
        (&["submit", "out.yaml", "--wait"][..], 1, ""),
        (&["report", &*format!("{bucket}out")], 1, ""),
        (&["submit", "out.yaml", "--wait"], 2, "--overwrite"),
        (&["submit", "out.yaml", "--wait", "--overwrite"], 1, ""),
        (&["submit", "foreign.yaml", "--overwrite", "--token", "foreign"], 0, ""),
        (&["watch", "foreign"], 2, "accounts.csv"),
    ] {
        let got = cluster.client(arguments);
        assert_eq!(got.exit, exit, "{arguments:?}: {}{}\n{}", got.stdout, got.stderr, cluster.logs());
        assert!(got.stderr.contains(says), "{arguments:?}: {}", got.stderr);
    }
}

/// Replaces the result at `place` and is killed before the n-th of its files is there.
fn killed_at(here: &Path, environment: &[(String, String)], place: &str, file: u32) {
    let arguments = format!("compare --live s.csv --shadow l.csv --key id -o {place} --overwrite");
    let program = binary::beside("examples/shadowdiff_of_tests");
    let mut command = binary::command_of(&program, here, &arguments.split_whitespace().collect::<Vec<_>>());
    command.env("SHADOWDIFF_FAULT", format!("publish:file=kill@{file}"));
    let child = command
        .envs([binary::scratch_in(here)])
        .envs(environment.iter().cloned())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let killed = binary::finish(child.expect("the binary starts")).expect("it ends");
    assert!(killed.exit > 2, "it was not killed: {}", killed.exit);
}

#[test]
fn a_run_killed_while_it_replaces_a_result_leaves_none() {
    for file in 1..=3 {
        let folder = folder();
        let here = folder.path();
        assert_eq!(run(here, &format!("{COMPARE} -o out")).exit, 1);
        put(here, "out/review.md", "looks right");
        killed_at(here, &[], "out", file);
        assert!(!here.join("out/summary.json").exists(), "{file}: a mixture has no summary");
        let got = run(here, "report out");
        assert_eq!(
            (got.exit, got.stderr.contains("writer has died")),
            (2, true),
            "{file}: {}",
            got.stderr
        );
        let got = run(here, &format!("{COMPARE} -o out"));
        assert_eq!((got.exit, got.stderr.contains("unfinished")), (2, true), "{file}: {}", got.stderr);
        assert_eq!(run(here, &format!("{COMPARE} -o out --overwrite")).exit, 1, "{file}");
        assert_eq!(run(here, "report out").exit, 1, "{file}");
        assert!(
            here.join("out/review.md").exists() && !here.join("out/.shadowdiff-writing").exists(),
            "{file}"
        );
    }
}

#[test]
fn a_bucket_is_kept_like_a_folder_and_tells_as_much() {
    let server_folder = tempfile::tempdir().expect("a folder");
    let server = StoreServer::start("moto", server_folder.path());
    let folder = folder();
    let here = folder.path();
    let bucket = server.place.url.trim_end_matches("state").to_owned();
    let run = |arguments: &str| {
        let mut command = binary::command(here, &arguments.split_whitespace().collect::<Vec<_>>());
        command.envs(server.place.environment.iter().cloned());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        binary::finish(child.expect("the binary starts")).expect("the run ends")
    };
    let local = run(&format!("{COMPARE} -o out"));
    let remote = run(&format!("{COMPARE} -o {bucket}out"));
    assert_eq!((local.exit, remote.exit), (1, 1), "{}", remote.stderr);
    let without_place = |text: &str| {
        text.lines()
            .filter(|line| !line.starts_with("Result: "))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(without_place(&local.stdout), without_place(&remote.stdout));
    let again = run(&format!("report {bucket}out"));
    assert_eq!(
        (again.exit, without_place(&again.stdout)),
        (1, without_place(&local.stdout)),
        "{}",
        again.stderr
    );

    let taken = run(&format!("{COMPARE} -o {bucket}out"));
    assert_eq!((taken.exit, taken.stderr.contains("--overwrite")), (2, true), "{}", taken.stderr);
    assert_eq!(run(&format!("{COMPARE} -o {bucket}out --overwrite")).exit, 1);

    killed_at(here, &server.place.environment, &format!("{bucket}out"), 2);
    for (arguments, exit) in [
        (format!("report {bucket}out"), 2),
        (format!("{COMPARE} -o {bucket}out"), 2),
        (format!("{COMPARE} -o {bucket}out --overwrite"), 1),
        (format!("report {bucket}out"), 1),
    ] {
        let got = run(&arguments);
        assert_eq!(got.exit, exit, "{arguments}: {}", got.stderr);
    }

    server.put("foreign/accounts.csv", &here.join("l.csv"));
    server.put("data/live.csv", &here.join("l.csv"));
    for (place, input) in [("foreign", "l.csv"), ("data", &*format!("{bucket}data/live.csv"))] {
        for overwrite in ["", " --overwrite"] {
            let got = run(&format!(
                "compare --live {input} --shadow s.csv --key id -o {bucket}{place}{overwrite}"
            ));
            assert_eq!((got.exit, got.stderr.contains("output: ")), (2, true), "{place}: {}", got.stderr);
        }
    }
}
