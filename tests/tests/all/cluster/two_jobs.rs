//! What has changed from one job to another: the same over the wire, by `diff --coordinator` and by `diff` of two local results.

use super::pair::Pair;
use serde_json::{Value, json};
use shadowdiff_proto::v1::job_service_client::JobServiceClient;
use shadowdiff_proto::v1::{
    AccountChange, ChangedAccount, ChangedCount, CompareJobsRequest, CompareJobsResponse, PatternChange, ThresholdState,
};
use shadowdiff_tests::cluster::Cluster;
use tokio::runtime::Runtime;
use tonic::{Code, Status};

fn compare_jobs(cluster: &Cluster, jobs: [&str; 2], accounts: u32) -> Result<CompareJobsResponse, Status> {
    let request = CompareJobsRequest {
        before_job_id: jobs[0].to_owned(),
        after_job_id: jobs[1].to_owned(),
        accounts,
    };
    Runtime::new().expect("a runtime").block_on(async {
        let mut client = JobServiceClient::connect(cluster.url()).await.expect("connects");
        client.compare_jobs(request).await.map(tonic::Response::into_inner)
    })
}

/// The answer in the form of `diff --json`.
fn as_json(answer: &CompareJobsResponse) -> Value {
    let name = |sent: &str, prefix: &str| sent.trim_start_matches(prefix).to_lowercase();
    let account = |of: &ChangedAccount| {
        let fields: Vec<&Option<String>> = of.account.iter().map(|field| &field.text).collect();
        json!({"account": fields, "before": of.before, "after": of.after})
    };
    let mut accounts = serde_json::Map::new();
    for of in &answer.accounts {
        let worst: Vec<Value> = of.worst.iter().map(account).collect();
        let (before, after) = (of.exceptions_before, of.exceptions_after);
        let told = json!({"accounts": of.accounts, "exceptions_before": before, "exceptions_after": after, "worst": worst});
        accounts.insert(name(of.change().as_str_name(), "ACCOUNT_CHANGE_"), told);
    }
    let mut patterns = serde_json::Map::new();
    for of in &answer.patterns {
        assert_ne!(of.change(), PatternChange::Unspecified);
        let told = json!({"fingerprint": of.fingerprint, "description": of.description, "before": of.before, "after": of.after});
        let change = patterns
            .entry(name(of.change().as_str_name(), "PATTERN_CHANGE_"))
            .or_insert(json!([]));
        change.as_array_mut().expect("a list").push(told);
    }
    let run = |of: &Option<shadowdiff_proto::v1::ComparedJob>| {
        let of = of.as_ref().expect("a job");
        json!({"place": of.job_id, "verdict": if of.passed { "pass" } else { "fail" }, "as_of": of.as_of, "exceptions": of.exceptions,
            "expected": of.expected, "accounts_with_exceptions": of.accounts_with_exceptions, "lists_all_accounts": of.lists_all_accounts})
    };
    let counts = |all: &[ChangedCount]| -> Vec<Value> {
        let one = |of: &ChangedCount| json!({"name": of.name, "before": of.before, "after": of.after});
        all.iter().map(one).collect()
    };
    let state = |of: &Option<ThresholdState>| of.as_ref().map(|of| json!({"limit": of.limit, "broken": of.broken}));
    let threshold =
        |of: &shadowdiff_proto::v1::ChangedThreshold| json!({"name": of.name, "before": state(&of.before), "after": state(&of.after)});
    json!({
        "version": 1, "before": run(&answer.before), "after": run(&answer.after), "compared_differently": answer.compared_differently,
        "accounts": accounts, "patterns": patterns, "thresholds": answer.thresholds.iter().map(threshold).collect::<Vec<_>>(),
        "kinds": counts(&answer.kinds), "columns": counts(&answer.columns), "rules": counts(&answer.rules),
    })
}

fn diff(cluster: &Cluster, arguments: &[&str]) -> (i32, Value) {
    let got = cluster.client(&[&["diff", "--json"], arguments].concat());
    let found = serde_json::from_str(&got.stdout).unwrap_or_else(|e| panic!("{e}: {}\n{}", got.stderr, cluster.logs()));
    (got.exit, found)
}

#[test]
fn jobs_are_held_against_each_other_as_results_are() {
    let pair = Pair::new();
    let cluster = Cluster::start(pair.path(), pair.directory(), 2);
    let first = pair.submit_to(&cluster);
    pair.await_result(&cluster, &first);
    // A later release: other values, a row less, an account that is new.
    let path = pair.path().join("shadow/part-1.csv");
    let text = std::fs::read_to_string(&path).expect("a file");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.remove(7);
    lines.push("acc-new,900001,1,t".to_owned());
    std::fs::write(&path, lines.join("\n").replace(",x5\n", ",y5\n") + "\n").expect("writes");
    let text = std::fs::read_to_string(&pair.spec).expect("a spec");
    std::fs::write(&pair.spec, text.replace("max_exceptions: 5", "max_exceptions: 100000")).expect("writes");
    let local = cluster.client(&["compare", &pair.spec, "--output", "two", "--quiet"]);
    assert!(local.exit < 2, "{}", local.stderr);
    let second = cluster.client(&["submit", &pair.spec]).stdout.trim().to_owned();
    let ended = cluster.client(&["watch", &second]);
    assert!(ended.exit < 2, "{}\n{}", ended.stderr, cluster.logs());

    let told = compare_jobs(&cluster, [&first, &second], 100).unwrap_or_else(|status| panic!("{status}\n{}", cluster.logs()));
    let (exit, by_client) = diff(&cluster, &[&first, &second, "--coordinator", &cluster.url()]);
    let (local_exit, mut by_results) = diff(&cluster, &["one", "two"]);
    (by_results["before"]["place"], by_results["after"]["place"]) = (json!(first), json!(second));
    assert_eq!((exit, &by_client), (local_exit, &by_results));
    let mut named = as_json(&told);
    // A program that reads JSON gets more of them.
    for (change, of) in named["accounts"].as_object_mut().expect("a mapping") {
        let mut all = by_client["accounts"][change].clone();
        all["worst"].as_array_mut().expect("a list").truncate(100);
        assert_eq!(*of, all, "{change}");
        *of = by_client["accounts"][change].clone();
    }
    assert_eq!(named, by_client);
    assert_eq!(told.is_worse, exit == 1);
    let new = told
        .accounts
        .iter()
        .find(|of| of.change() == AccountChange::New)
        .expect("each change");
    assert!(
        new.accounts > 0 && new.worst[0].account[0].text.as_deref() == Some("acc-new"),
        "{new:?}"
    );

    assert!(
        compare_jobs(&cluster, [&first, &second], 0)
            .expect("an answer")
            .accounts
            .iter()
            .all(|of| of.worst.is_empty())
    );
    for (jobs, accounts, code) in [
        ([first.as_str(), "nobody"], 1, Code::NotFound),
        (["nobody", second.as_str()], 1, Code::NotFound),
        ([first.as_str(), second.as_str()], 101, Code::InvalidArgument),
        (["a/b", second.as_str()], 1, Code::InvalidArgument),
    ] {
        let status = compare_jobs(&cluster, jobs, accounts).expect_err("it is refused");
        assert_eq!(status.code(), code, "{status}");
    }
    let got = cluster.client(&["diff", &first, "nobody", "--coordinator", &cluster.url()]);
    assert!(got.exit == 2 && got.stderr.contains("nobody"), "{}", got.stderr);
}
