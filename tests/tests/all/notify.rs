//! `--notify`: what is sent when a comparison has ended, how often it is tried, and that it changes nothing else.

use crate::cluster::wait_for;
use serde_json::Value;
use shadowdiff_tests::binary::{self, Run};
use shadowdiff_tests::cluster::{Cluster, Place, free_port};
use shadowdiff_tests::hook::Hook;
use std::path::Path;
use std::time::Instant;
use tempfile::TempDir;

fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("the file can be written");
    put("live.csv", "id,v\na,1\nb,2\n");
    put("shadow.csv", "id,v\na,1\nb,<script>\n");
    put("spec.yaml", "live: live.csv\nshadow: shadow.csv\naccount: id\noutput: out\n");
    folder
}

fn compare(folder: &Path, url: &str, more: &[&str]) -> Run {
    let arguments = [&["compare", "spec.yaml", "--overwrite", "--notify", url], more].concat();
    binary::run(folder, &arguments).expect("the run ends")
}

#[test]
fn the_end_is_told_once_whatever_it_is() {
    let folder = folder();
    let hook = Hook::start(&[204]);
    let url = format!("http://ann:s3cret@127.0.0.1:{}/hook/t0ken?sig=hidden%20key", hook.port);
    for (more, exit, outcome) in [
        (&[] as &[&str], 1, "fail"),
        (&["--exclude", "v"], 0, "pass"),
        (&["--live", "gone.csv"], 2, "failed"),
    ] {
        let got = compare(folder.path(), &url, more);
        assert_eq!(got.exit, exit, "{}", got.stderr);
        let heard = hook.next().expect("it is told");
        assert_eq!(heard.line, "POST /hook/t0ken?sig=hidden%20key HTTP/1.1");
        let has = |header: &str| heard.headers.iter().any(|one| one == header);
        assert!(has("content-type: application/cloudevents+json; charset=utf-8"), "{heard:?}");
        assert!(has("authorization: basic yw5uonmzy3jlda=="), "{heard:?}");
        let event: Value = serde_json::from_str(&heard.body).expect("JSON");
        for (field, value) in [
            ("specversion", "1.0"),
            ("type", "dev.shadowdiff.comparison.ended"),
            ("source", "shadowdiff"),
        ] {
            assert_eq!(event[field], value);
        }
        assert_eq!(event["data"]["outcome"], outcome, "{event:#}");
        assert!(event["id"].as_str().is_some_and(|id| id.len() == 32) && event["time"].as_str().is_some_and(|time| time.ends_with('Z')));
        assert_eq!(outcome == "fail", event["data"]["counts"]["exceptions"] == 1, "{event:#}");
        assert_eq!(outcome == "fail", event["data"]["broken"].is_array());
        let told = format!("{}{}{}", heard.body, got.stdout, got.stderr);
        for secret in ["s3cret", "t0ken", "hidden", "<script>"]
            .iter()
            .take(if outcome == "fail" { 3 } else { 4 })
        {
            assert!(!told.contains(secret), "{secret}: {told}");
        }
    }
    assert_eq!(hook.rest(), 0);
    let summary = std::fs::read_to_string(folder.path().join("out/summary.json")).expect("a summary");
    assert!(!summary.contains("t0ken") && !summary.contains("notify"));
}

#[test]
fn who_is_busy_is_told_again_and_who_refuses_is_not() {
    let folder = folder();
    let busy = Hook::start(&[503, 429, 200]);
    let got = compare(folder.path(), &format!("http://127.0.0.1:{}/", busy.port), &[]);
    assert!(got.exit == 1 && !got.stderr.contains("nobody was told"), "{}", got.stderr);
    let ids = [busy.next(), busy.next(), busy.next()].map(|heard| {
        let event: Value = serde_json::from_str(&heard.expect("it is told").body).expect("JSON");
        event["id"].clone()
    });
    assert!(ids[0] == ids[1] && ids[1] == ids[2], "one event, however often it is sent");
    let refusing = Hook::start(&[404]);
    let got = compare(folder.path(), &format!("http://127.0.0.1:{}/t0ken", refusing.port), &[]);
    assert!(
        got.exit == 1 && got.stderr.contains("nobody was told") && got.stderr.contains("404"),
        "{}",
        got.stderr
    );
    assert!(!got.stderr.contains("t0ken"), "{}", got.stderr);
    assert!(refusing.next().is_some() && refusing.rest() == 0);
    // Where somebody else would be asked nobody has been told.
    let elsewhere = Hook::start(&[302]);
    let got = compare(folder.path(), &format!("http://127.0.0.1:{}/", elsewhere.port), &[]);
    assert!(got.exit == 1 && got.stderr.contains("it answers 302"), "{}", got.stderr);
    assert!(elsewhere.next().is_some() && elsewhere.rest() == 0);
}

#[test]
fn where_nobody_listens_the_verdict_stays() {
    let folder = folder();
    let begun = Instant::now();
    let got = compare(folder.path(), &format!("http://127.0.0.1:{}/t0ken", free_port()), &[]);
    assert!(begun.elapsed().as_secs() < 30);
    assert!(
        got.exit == 1 && got.stderr.contains("it cannot be reached") && !got.stderr.contains("t0ken"),
        "{}",
        got.stderr
    );
    assert!(folder.path().join("out/summary.json").exists());
    for wrong in ["ftp://host/x", "hook", "s3://bucket/x"] {
        let got = compare(folder.path(), wrong, &[]);
        assert!(got.exit == 2 && got.stderr.contains("--notify"), "{wrong}: {}", got.stderr);
    }
}

/// Who runs the coordinator says who is told; a spec that is submitted cannot.
#[test]
fn a_coordinator_tells_of_each_job() {
    let folder = folder();
    let hook = Hook::start(&[200]);
    let place = Place::directory(&folder.path().join("state"));
    let place = place.with("SHADOWDIFF_NOTIFY", &format!("http://127.0.0.1:{}/t0ken", hook.port));
    let cluster = Cluster::start(folder.path(), place, 1);
    let spec = folder.path().join("spec.yaml");
    for (live, outcome) in [("live.csv", "fail"), ("gone.csv", "failed")] {
        let live = folder.path().join(live);
        let output = folder.path().join(format!("out-{outcome}"));
        let arguments = [
            "submit",
            &spec.to_string_lossy(),
            "--live",
            &live.to_string_lossy(),
            "--output",
            &output.to_string_lossy(),
            "--wait",
        ]
        .map(str::to_owned);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let got = cluster.client(&arguments);
        assert_eq!(got.exit, if outcome == "fail" { 1 } else { 2 }, "{}", got.stderr);
        let heard = hook.next().unwrap_or_else(|| panic!("it is told: {}", cluster.logs()));
        let event: Value = serde_json::from_str(&heard.body).expect("JSON");
        assert_eq!(event["data"]["outcome"], outcome, "{event:#}");
        assert_eq!(outcome == "fail", event["data"]["counts"]["exceptions"] == 1, "{event:#}");
        assert_eq!(outcome == "fail", event["data"]["broken"].is_array(), "{event:#}");
        let job = event["data"]["job"].as_str().expect("a job");
        assert!(
            event["id"].as_str().is_some_and(|id| id.starts_with(&format!("{job}/"))),
            "{event:#}"
        );
    }
    wait_for("no more", || hook.rest() == 0);
    assert!(!cluster.logs().contains("t0ken"));
    let named = std::fs::read_to_string(&spec).expect("a spec") + "notify: http://127.0.0.1:1/\n";
    std::fs::write(&spec, named).expect("it can be written");
    let got = cluster.client(&["submit", &spec.to_string_lossy()]);
    assert!(got.exit == 2 && got.stderr.contains("notify"), "{}", got.stderr);
}
