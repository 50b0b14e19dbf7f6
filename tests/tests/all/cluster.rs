//! A cluster of real processes, and what goes wrong in one: always the same bytes as in one process, or a failure that says why.

#[path = "cluster/pair.rs"]
mod pair;
#[expect(clippy::disallowed_methods, reason = "a test sees its own panics")]
#[path = "cluster/strangers.rs"]
mod strangers;
#[path = "cluster/two_jobs.rs"]
mod two_jobs;

pub(crate) use self::pair::{FILES, wait_for};
use self::pair::{PATIENCE, Pair, rows};
use shadowdiff_tests::binary;
use shadowdiff_tests::cluster::{Cluster, Place, StoreServer, free_port};
use shadowdiff_tests::namespace::{Network, small_disk};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the last submission of a job lies in a state directory.
fn kept(folder: &Path, job: &str) -> PathBuf {
    let job = folder.join("state/jobs").join(job);
    let last = std::fs::read_dir(job.join("submissions"))
        .expect("submissions")
        .map(|entry| entry.expect("an entry").path());
    let text = std::fs::read_to_string(last.max().expect("a submission")).expect("it can be read");
    let submission: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    job.join(submission["incarnation"].as_str().expect("an incarnation"))
}

/// A directory of its own for a fault at `point`, and the form of the exchange in which that point is met.
fn place_for(pair: &Pair, point: &str) -> Place {
    let place = Place::directory(&pair.path().join(format!("state-{}", point.replace(':', "-"))));
    match point.starts_with("match:") || point.starts_with("reread:") {
        true => place.with("SHADOWDIFF_EXCHANGE", "fingerprints"),
        false => place,
    }
}

#[test]
fn fingerprints_give_the_same_bytes_and_take_their_stages() {
    for pair in [Pair::new(), Pair::large()] {
        let place = pair.directory().with("SHADOWDIFF_EXCHANGE", "fingerprints");
        let cluster = Cluster::start(pair.path(), place, 2);
        let job = pair.submit_to(&cluster);
        pair.await_result(&cluster, &job);
        for stage in ["scan", "match", "reread", "compare"] {
            let commits = kept(pair.path(), &job).join("commit").join(stage);
            assert!(commits.exists(), "{stage}");
        }
    }
}

/// The file has the size and time that it had, so that only the row itself can tell.
#[test]
fn a_row_that_changes_before_it_is_read_again_fails_the_job() {
    let pair = Pair::new();
    let place = pair.directory().with("SHADOWDIFF_EXCHANGE", "fingerprints");
    let cluster = Cluster::start_with(pair.path(), place, 1, Some("match:stage-done=sleep"));
    let job = pair.submit_to(&cluster);
    let commits = kept(pair.path(), &job).join("commit/match");
    wait_for("the match stage", || {
        std::fs::read_dir(&commits).is_ok_and(|mut list| list.next().is_some())
    });
    std::thread::sleep(Duration::from_secs(2));
    // Key 5 differs between both sides.
    let path = pair.path().join("shadow/part-1.csv");
    let (text, before) = (
        std::fs::read_to_string(&path).expect("a file"),
        std::fs::metadata(&path).expect("a file"),
    );
    assert!(text.contains(",x5\n"));
    std::fs::write(&path, text.replace(",x5\n", ",y5\n")).expect("writes");
    let file = std::fs::File::options().write(true).open(&path).expect("a file");
    file.set_modified(before.modified().expect("a time")).expect("sets the time");
    assert_eq!(cluster.client(&["watch", &job]).exit, 2, "{}", cluster.logs());
    let status = cluster.client(&["status", &job]).stdout;
    assert!(status.contains("shadow/part-1.csv") && status.contains("changed since"), "{status}");
}

#[test]
fn a_cluster_gives_the_bytes_of_one_process_and_keeps_the_job() {
    let pair = Pair::new();
    let cluster = Cluster::start(pair.path(), pair.directory(), 3);
    pair.run_on(&cluster);
    let run = cluster.client(&["list"]);
    assert!(run.stdout.contains("done: fail"), "{}", run.stdout);
    let run = cluster.client(&[
        "compare",
        &pair.spec,
        "--quiet",
        "--output",
        "compared",
        "--coordinator",
        &cluster.url(),
        "--markdown",
        "compared.md",
        "--junit",
        "compared.xml",
    ]);
    assert_eq!(run.exit, 1, "{}", run.stderr);
    let again = cluster.client(&["report", "compared", "--markdown", "again.md", "--junit", "again.xml"]);
    assert_eq!(again.exit, 1, "{}", again.stderr);
    for end in ["md", "xml"] {
        let [one, other] = ["compared", "again"].map(|name| std::fs::read(pair.path().join(format!("{name}.{end}"))));
        assert_eq!(one.expect("it is written"), other.expect("it is written again"));
    }
    pair.assert_same(&pair.path().join("compared"), &cluster);
}

#[test]
fn a_worker_killed_at_any_point_costs_nothing_but_time() {
    let pair = Pair::new();
    for point in [
        "scan:before-store",
        "scan:before-commit",
        "scan:after-commit",
        "compare:before-store",
        "compare:before-commit",
        "compare:after-commit",
        "match:before-store",
        "match:before-commit",
        "match:after-commit",
        "reread:before-store",
        "reread:before-commit",
        "reread:after-commit",
        "lookup:before-store",
        "lookup:before-commit",
        "lookup:after-commit",
    ] {
        let place = place_for(&pair, point);
        let mut cluster = Cluster::start(pair.path(), place, 0);
        cluster.add_worker(&[], Some(&format!("{point}=kill")));
        let job = pair.submit_to(&cluster);
        assert!(cluster.workers[0].ends_within(PATIENCE), "{point} was not met\n{}", cluster.logs());
        cluster.add_worker(&[], None);
        pair.await_result(&cluster, &job);
    }
}

#[test]
fn a_panic_in_one_attempt_leaves_the_worker_and_the_job() {
    let pair = Pair::new();
    let mut cluster = Cluster::start(pair.path(), pair.directory(), 0);
    cluster.add_worker(&[], Some("scan:before-store=panic"));
    let job = pair.submit_to(&cluster);
    pair.await_result(&cluster, &job);
    let run = cluster.client(&["status", &job]);
    assert!(run.stdout.contains("a task panicked"), "{}", run.stdout);
}

#[test]
fn a_panic_in_the_driver_of_a_job_fails_that_job_and_no_other() {
    let pair = Pair::new();
    let cluster = Cluster::start_with(pair.path(), pair.directory(), 1, Some("scan:stage-done=panic"));
    let job = pair.submit_to(&cluster);
    let run = cluster.client(&["watch", &job]);
    assert_eq!(run.exit, 2, "{}", run.stdout);
    let why = "the driver of the job panicked: a fault at scan:stage-done";
    assert!(run.stderr.contains(why), "{}", run.stderr);
    let next = pair.submit_to(&cluster);
    pair.await_result(&cluster, &next);
}

#[test]
fn a_coordinator_whose_scheduler_panics_says_so_and_ends() {
    let pair = Pair::new();
    let mut cluster = Cluster::start_with(pair.path(), pair.directory(), 1, Some("scheduler:assign=panic"));
    let job = pair.submit_to(&cluster);
    assert!(cluster.coordinator.ends_within(PATIENCE), "it lives on\n{}", cluster.logs());
    let log = cluster.coordinator.log();
    assert!(log.contains("the scheduler panicked: a fault at scheduler:assign"), "{log}");
    cluster.restart_coordinator(None);
    pair.await_result(&cluster, &job);
}

#[test]
fn a_coordinator_killed_in_any_phase_is_taken_up_by_the_next() {
    let pair = Pair::new();
    for point in [
        "scan:stage-done",
        "compare:stage-done",
        "merge:before-upload",
        "publish:before-manifest",
        "publish:after-manifest",
        "match:stage-done",
        "reread:stage-done",
        "lookup:stage-done",
    ] {
        let place = place_for(&pair, point);
        let mut cluster = Cluster::start_with(pair.path(), place, 2, Some(&format!("{point}=kill")));
        let job = pair.submit_to(&cluster);
        assert!(cluster.coordinator.ends_within(PATIENCE), "{point} was not met\n{}", cluster.logs());
        cluster.restart_coordinator(None);
        pair.await_result(&cluster, &job);
    }
}

#[test]
fn a_zombie_that_wakes_after_its_task_was_given_away_changes_nothing() {
    let pair = Pair::new();
    let mut cluster = Cluster::start(pair.path(), pair.directory(), 0);
    cluster.add_worker(&[], Some("scan:before-commit=sleep"));
    let job = pair.submit_to(&cluster);
    let data = kept(pair.path(), &job).join("data/scan");
    wait_for("the zombie's data", || {
        std::fs::read_dir(&data).is_ok_and(|mut list| list.next().is_some())
    });
    cluster.workers[0].signal("STOP");
    cluster.add_worker(&[], None);
    pair.await_result(&cluster, &job);
    cluster.workers[0].signal("CONT");
    // It sleeps on, tries to commit, loses, and removes what it made.
    let attempts = || -> usize {
        let tasks = std::fs::read_dir(&data).expect("data");
        tasks
            .map(|task| std::fs::read_dir(task.expect("a task").path()).map_or(0, Iterator::count))
            .sum()
    };
    let commits = std::fs::read_dir(kept(pair.path(), &job).join("commit/scan")).map_or(0, Iterator::count);
    assert!(commits >= FILES, "a task has no commit");
    wait_for("the loser's data to go", || attempts() == commits);
    pair.await_result(&cluster, &job);
}

/// Retention removes the jobs that have ended, of a coordinator that is started anew.
fn remove_ended_jobs(cluster: &mut Cluster, job: &str) {
    cluster.place.environment.push(("SHADOWDIFF_KEEP".into(), "1s".into()));
    std::thread::sleep(Duration::from_millis(1200));
    cluster.restart_coordinator(None);
    wait_for("retention", || cluster.client(&["status", job]).stderr.contains("there is no job"));
    cluster.place.environment.retain(|(name, _)| name != "SHADOWDIFF_KEEP");
    cluster.restart_coordinator(None);
}

/// A worker that slept through the end of its job and its removal commits for a submission that nobody asks for any more.
#[test]
fn an_id_that_comes_again_is_a_new_job_whoever_wakes() {
    let (first, second) = (Pair::of(|side, file| rows(side, file).replace(".25", ".75")), Pair::new());
    let mut cluster = Cluster::start(first.path(), first.directory(), 0);
    cluster.add_worker(&["--memory", "512MiB", "--slots", "4"], Some("scan:before-commit=sleep"));
    let submit = |cluster: &Cluster, spec: &str| {
        let run = cluster.client(&["submit", spec, "--token", "nightly"]);
        assert_eq!(run.stdout.trim(), "nightly", "{}", run.stderr);
    };
    submit(&cluster, &first.spec);
    wait_for("the plan", || kept(first.path(), "nightly").join("plan").exists());
    let old = kept(first.path(), "nightly");
    let stored = || std::fs::read_dir(old.join("data/scan")).map_or(0, Iterator::count);
    wait_for("the data of a scan that is not committed", || stored() > 0);
    std::thread::sleep(Duration::from_millis(500));
    cluster.workers[0].signal("STOP");
    cluster.client(&["cancel", "nightly"]);
    wait_for("the end", || cluster.client(&["status", "nightly"]).stdout.contains("cancelled"));
    remove_ended_jobs(&mut cluster, "nightly");
    submit(&cluster, &second.spec);
    cluster.workers[0].signal("CONT");
    let committed = || std::fs::read_dir(old.join("commit/scan")).map_or(0, Iterator::count);
    wait_for("a commit of the worker that woke", || committed() > 0);
    cluster.add_worker(&[], None);
    cluster.folder = first.path().to_owned();
    second.await_result(&cluster, "nightly");
}

/// The coordinator dies before it can tell the worker that the job has ended.
#[test]
fn a_worker_that_was_told_nothing_does_not_follow_an_old_plan() {
    let pair = Pair::new();
    let mut cluster = Cluster::start_with(pair.path(), pair.directory(), 1, Some("merge:before-upload=kill"));
    let loose = ["submit", &pair.spec, "--token", "nightly", "--set", "tolerance=1000"];
    let text = std::fs::read_to_string(&pair.spec).expect("a spec");
    std::fs::write(&pair.spec, text.replace("absolute: 1}", "absolute: \"${tolerance}\"}")).expect("a spec");
    assert_eq!(cluster.client(&loose).exit, 0);
    assert!(cluster.coordinator.ends_within(PATIENCE), "{}", cluster.logs());
    cluster.restart_coordinator(None);
    let run = cluster.client(&["watch", "nightly"]);
    assert!(run.stdout.contains("done"), "{}{}", run.stdout, run.stderr);
    remove_ended_jobs(&mut cluster, "nightly");
    let strict = ["submit", &pair.spec, "--token", "nightly", "--set", "tolerance=1"];
    assert_eq!(cluster.client(&strict).exit, 0);
    pair.await_result(&cluster, "nightly");
}

/// What was submitted is planned by whoever is there: the client has its answer before.
#[test]
fn a_coordinator_killed_while_it_plans_is_taken_up_by_the_next() {
    let pair = Pair::new();
    let mut cluster = Cluster::start_with(pair.path(), pair.directory(), 1, Some("plan:before-store=sleep"));
    let id = "scheduled__2026-11-27T00:00:00+00:00";
    assert_eq!(cluster.client(&["submit", &pair.spec, "--token", id]).stdout.trim(), id);
    let run = cluster.client(&["status", id]);
    assert!(run.stdout.contains("planning"), "{}", run.stdout);
    cluster.restart_coordinator(None);
    pair.await_result(&cluster, id);
}

#[test]
fn mistakes_of_data_are_the_end_of_the_job() {
    let pair = Pair::new();
    let cluster = Cluster::start(pair.path(), pair.directory(), 0);
    let run = cluster.client(&[
        "submit", "--live", "no.csv", "--shadow", "no.csv", "--key", "a", "--token", "missing",
    ]);
    assert_eq!((run.exit, run.stdout.trim()), (0, "missing"), "{}", run.stderr);
    let run = cluster.client(&["watch", "missing"]);
    assert_eq!(run.exit, 2, "{}", run.stdout);
    assert!(run.stderr.contains("no.csv"), "{}", run.stderr);
}

#[test]
fn a_second_coordinator_takes_the_job_over_and_the_first_stands_back() {
    let pair = Pair::new();
    let first = Cluster::start(pair.path(), pair.directory(), 0);
    let job = pair.submit_to(&first);
    let second_folder = pair.path().join("second");
    std::fs::create_dir(&second_folder).expect("a folder");
    let second = Cluster::start(&second_folder, pair.directory(), 2);
    pair.await_result(&second, &job);
    let run = first.client(&["cancel", &job]);
    assert!(
        run.stdout.contains("done: fail") || run.stderr.contains("another coordinator"),
        "{}{}",
        run.stdout,
        run.stderr
    );
    let run = first.client(&["results", &job, "--output", "from-first"]);
    assert_eq!(run.exit, 1, "{}", run.stderr);
    pair.assert_same(&pair.path().join("from-first"), &first);
}

#[test]
fn a_token_names_one_job_and_a_full_queue_says_so() {
    let pair = Pair::new();
    let cluster = Cluster::start(pair.path(), pair.directory(), 0);
    let submit = |token: &str, set: &[&str]| {
        let arguments = [&["submit", &pair.spec, "--token", token][..], set].concat();
        cluster.client(&arguments)
    };
    assert_eq!(submit("daily-1", &[]).stdout.trim(), "daily-1");
    assert_eq!(submit("daily-1", &[]).stdout.trim(), "daily-1", "said twice");
    let other = submit("daily-1", &["--key", "a,k,t"]);
    assert_eq!(other.exit, 2);
    assert!(other.stderr.contains("names a job with another content"), "{}", other.stderr);
    let bad = submit("a/b", &[]);
    assert!(bad.stderr.contains("cannot name a job"), "{}", bad.stderr);
    assert_eq!(cluster.client(&["list"]).stdout.lines().count(), 1);
    let run = cluster.client(&["cancel", "daily-1"]);
    assert!(run.stdout.contains("cancelled") || run.stdout.contains("queued"), "{}", run.stdout);
    wait_for("the cancelled job", || {
        cluster.client(&["status", "daily-1"]).stdout.contains("cancelled")
    });
    assert_eq!(cluster.client(&["watch", "daily-1"]).exit, 130);
    let missing = cluster.client(&["status", "nothing"]);
    assert_eq!(missing.exit, 2);
    assert!(missing.stderr.contains("there is no job `nothing`"), "{}", missing.stderr);
}

#[test]
fn bad_specs_and_bad_data_are_told_as_in_one_process() {
    let pair = Pair::new();
    let cluster = Cluster::start(pair.path(), pair.directory(), 1);
    std::fs::write(pair.path().join("live/part-9.csv"), "a,k,v,t\nacc1,1,2\n").expect("a file");
    let run = cluster.client(&["submit", &pair.spec, "--wait", "--quiet", "--output", "o"]);
    assert_eq!(run.exit, 2, "{}", run.stderr);
    assert!(run.stderr.contains("part-9.csv") && run.stderr.contains('2'), "{}", run.stderr);
    assert!(!pair.path().join("o").exists());
    let missing = cluster.client(&["submit", "--live", "no.csv", "--shadow", "no.csv", "--key", "a", "--wait"]);
    assert_eq!(missing.exit, 2);
    assert!(missing.stderr.contains("no.csv"), "{}", missing.stderr);
    let nobody = binary::run(
        pair.path(),
        &["list", "--coordinator", &format!("http://127.0.0.1:{}", free_port())],
    )
    .expect("ends");
    assert_eq!(nobody.exit, 2);
    assert!(nobody.stderr.contains("no coordinator answers"), "{}", nobody.stderr);
}

#[test]
fn a_worker_drains_when_it_is_asked_to_end() {
    let pair = Pair::new();
    let mut cluster = Cluster::start(pair.path(), pair.directory(), 2);
    let job = pair.submit_to(&cluster);
    cluster.workers[0].signal("TERM");
    assert!(cluster.workers[0].ends_within(PATIENCE), "{}", cluster.logs());
    pair.await_result(&cluster, &job);
}

/// The older one stops while it owns a job that nobody works on; the newer one, started before the job came, takes it.
#[test]
fn a_job_of_a_coordinator_that_stops_goes_to_the_one_that_stays() {
    let pair = Pair::new();
    let mut first = Cluster::start(pair.path(), pair.directory(), 0);
    let folder = pair.path().join("stays");
    std::fs::create_dir(&folder).expect("a folder");
    let stays = Cluster::start(&folder, pair.directory(), 1);
    let job = pair.submit_to(&first);
    first.coordinator.signal("TERM");
    assert!(first.coordinator.ends_within(PATIENCE), "{}", first.logs());
    pair.await_result(&stays, &job);
}

#[test]
fn a_worker_that_cannot_reach_the_store_gets_no_tasks() {
    let pair = Pair::new();
    let server = StoreServer::seaweedfs(&pair.path().join("s3"));
    let mut cluster = Cluster::start(pair.path(), server.place.clone(), 1);
    // The same bucket through an endpoint where nobody listens.
    let mut blind = server.place.clone();
    blind
        .environment
        .push(("AWS_ENDPOINT_URL".into(), format!("http://127.0.0.1:{}", free_port())));
    cluster.place = blind;
    cluster.add_worker(&[], None);
    cluster.place = server.place.clone();
    pair.run_on(&cluster);
    let run = cluster.client(&["list"]);
    assert!(run.stdout.contains("done: fail"), "{}", run.stdout);
    assert!(
        !cluster.workers[1].log().contains("attached coordinator"),
        "{}",
        cluster.workers[1].log()
    );
}

/// A client in another language, which knows the protocol files only.
#[test]
fn a_client_in_python_submits_watches_and_fetches() {
    let pair = Pair::new();
    let cluster = Cluster::start(pair.path(), pair.directory(), 2);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/run.sh");
    let out = pair.path().join("python");
    let ran = std::process::Command::new("bash")
        .arg(script)
        .arg(pair.path())
        .arg(&cluster.address)
        .arg(&pair.spec)
        .arg(&out)
        .output()
        .expect("bash starts");
    let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{said}\n{}", cluster.logs());
    pair.assert_same(&out, &cluster);
}

#[test]
fn a_bucket_serves_as_state_even_when_its_server_pauses() {
    let pair = Pair::new();
    let server = StoreServer::seaweedfs(&pair.path().join("s3"));
    let cluster = Cluster::start(pair.path(), server.place.clone(), 2);
    pair.run_on(&cluster);
    let job = pair.submit_to(&cluster);
    let signal = |name: &str| {
        let sent = std::process::Command::new("kill")
            .args([format!("-{name}"), server.pid.to_string()])
            .status();
        assert!(sent.is_ok_and(|status| status.success()));
    };
    signal("STOP");
    std::thread::sleep(Duration::from_secs(20));
    signal("CONT");
    pair.await_result(&cluster, &job);
}

#[test]
fn a_worker_of_little_memory_gives_the_same_bytes() {
    let pair = Pair::large();
    let mut cluster = Cluster::start(pair.path(), pair.directory(), 0);
    cluster.add_worker(&["--memory", "40MiB", "--slots", "1"], None);
    pair.run_on(&cluster);
}

/// Parts, batches, pages and stored blocks of a few rows, as the seeds draw them.
#[test]
fn workers_within_small_limits_give_the_same_bytes() {
    let pair = Pair::of(|side, file| {
        let line = |row: usize| {
            let is_changed = side == "shadow" && row.is_multiple_of(5);
            let value = if is_changed { row + 3 } else { row };
            format!("acc{},{},{value},t\n", row % 3, row * FILES + file)
        };
        "a,k,v,t\n".to_owned() + &(0..40).map(line).collect::<String>()
    });
    for (seed, form) in [("1", "rows"), ("2", "fingerprints"), ("3", "fingerprints")] {
        let place = Place::directory(&pair.path().join(format!("state-{seed}")));
        let place = place.with("SHADOWDIFF_LIMITS", seed).with("SHADOWDIFF_EXCHANGE", form);
        let mut cluster = Cluster::start(pair.path(), place, 0);
        // The program of the tests reads the limits; the fault is nowhere.
        (0..2).for_each(|_| cluster.add_worker(&[], Some("nowhere=sleep")));
        pair.run_on(&cluster);
    }
}

#[test]
fn a_full_scratch_disk_fails_the_job_and_says_so() {
    let pair = Pair::large();
    let scratch = pair.path().join("scratch");
    let Some(prefix) = small_disk(&scratch, 256 << 10) else {
        eprintln!("passed over: nothing can be mounted here");
        return;
    };
    let mut cluster = Cluster::start(pair.path(), pair.directory(), 0);
    let scratch = scratch.to_string_lossy().into_owned();
    cluster.add_worker_within(&prefix, &["--memory", "40MiB", "--slots", "1", "--scratch", &scratch], None);
    let run = cluster.client(&["submit", &pair.spec, "--wait", "--quiet", "--output", "many"]);
    assert_eq!(run.exit, 2, "{}\n{}", run.stderr, cluster.logs());
    assert!(
        run.stderr.contains("No space left") && run.stderr.contains("--scratch"),
        "{}",
        run.stderr
    );
    assert!(!pair.path().join("many").exists());
    // The worker has outlived it: jobs that need no scratch still run there.
    let small = Pair::new();
    cluster.folder = small.path().to_owned();
    small.run_on(&cluster);
}

/// Nothing gets through for longer than a worker may be silent; then the cable is plugged in again.
#[test]
fn a_worker_that_was_cut_off_comes_back_and_changes_nothing() {
    let Some(network) = Network::new() else {
        eprintln!("passed over: no network can be made here");
        return;
    };
    let pair = Pair::new();
    let mut cluster = Cluster::start_on(&network.host, pair.path(), pair.directory(), 0, None);
    let one_slot = ["--memory", "256MiB", "--slots", "1"];
    cluster.add_worker_within(&network.prefix(), &one_slot, Some("scan:before-commit=sleep"));
    let job = pair.submit_to(&cluster);
    let data = kept(pair.path(), &job).join("data/scan");
    wait_for("the data of the worker inside", || {
        std::fs::read_dir(&data).is_ok_and(|mut list| list.next().is_some())
    });
    network.pull();
    cluster.add_worker(&[], None);
    pair.await_result(&cluster, &job);
    let run = cluster.client(&["status", &job]);
    assert!(run.stdout.contains("its worker went away"), "{}", run.stdout);
    network.plug();
    let attached = |cluster: &Cluster| cluster.workers[0].log().matches("attached coordinator").count();
    wait_for("the worker inside to attach again", || attached(&cluster) >= 2);
    cluster.workers[1].kill();
    let job = pair.submit_to(&cluster);
    pair.await_result(&cluster, &job);
}
