//! Every mixture of what may lie at an output's place, on a local disk and on an object store.

use super::*;
use crate::deliver::Delivery;
use crate::publish::Staging;
use bytes::Bytes;
use futures::FutureExt;
use object_store::memory::InMemory;
use std::collections::BTreeMap;
use std::io::Write;

/// What may lie at a place, and what may be done then.
struct Mixture {
    files: &'static [(&'static str, &'static str)],
    /// Without `--overwrite`, and with it.
    allowed: (bool, bool),
}

const SUMMARY_OF_OURS: &str = include_str!("../../../core/tests/golden/summary.json");
const MARK: &str = r#"{"version": 1, "writer": "somebody"}"#;

const MIXTURES: &[Mixture] = &[
    Mixture {
        files: &[],
        allowed: (true, true),
    },
    Mixture {
        files: &[("notes.txt", "n")],
        allowed: (false, false),
    },
    Mixture {
        files: &[("deep/notes.txt", "n")],
        allowed: (false, false),
    },
    Mixture {
        files: &[("accounts.csv", "id\n")],
        allowed: (false, false),
    },
    Mixture {
        files: &[("diff.csv", "id\n"), ("accounts.csv", "id\n")],
        allowed: (false, false),
    },
    Mixture {
        files: &[("summary.json", "{}")],
        allowed: (false, false),
    },
    Mixture {
        files: &[("summary.json", ""), ("l.csv", "id\n")],
        allowed: (false, false),
    },
    Mixture {
        files: &[("summary.json", r#"{"version": 1, "verdict": "pass"}"#), ("diff.csv", "id\n")],
        allowed: (false, false),
    },
    Mixture {
        files: &[("summary.json", SUMMARY_OF_OURS)],
        allowed: (false, true),
    },
    Mixture {
        files: &[("summary.json", SUMMARY_OF_OURS), ("diff.csv", "id\n"), ("accounts.csv", "id\n")],
        allowed: (false, true),
    },
    Mixture {
        files: &[("summary.json", SUMMARY_OF_OURS), ("notes.txt", "n"), ("deep/more.txt", "n")],
        allowed: (false, true),
    },
    // What a killed writer leaves.
    Mixture {
        files: &[(WRITING, MARK), ("diff.csv", "id\n"), ("notes.txt", "n")],
        allowed: (false, true),
    },
    Mixture {
        files: &[(WRITING, MARK), ("summary.json", SUMMARY_OF_OURS), ("diff.csv", "id\n")],
        allowed: (false, true),
    },
    Mixture {
        files: &[(WRITING, "no mark of ours"), ("diff.csv", "id\n")],
        allowed: (false, false),
    },
];

/// The files after a run: those of the new result where it was allowed, and all others as they were.
fn expected(mixture: &Mixture, allowed: bool) -> BTreeMap<String, String> {
    let mut files: BTreeMap<String, String> = mixture.files.iter().map(|(n, t)| ((*n).to_owned(), (*t).to_owned())).collect();
    if allowed {
        files.extend(ResultFile::ALL.map(|file| (file.to_string(), "new".to_owned())));
        files.remove(WRITING);
    }
    files
}

fn staged(target: &Target) -> Result<Staging> {
    let staging = Staging::new(target)?;
    for name in ResultFile::ALL {
        let mut file = staging.create(name)?;
        file.write_all(b"new").expect("write");
        file.finish()?;
    }
    Ok(staging)
}

fn files_in(directory: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("list") {
            let path = entry.expect("list").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(directory).expect("below").to_string_lossy().into_owned();
                files.insert(name, std::fs::read_to_string(&path).expect("read"));
            }
        }
    }
    files
}

#[tokio::test]
async fn a_directory_keeps_all_that_is_not_ours() {
    for (at, mixture) in MIXTURES.iter().enumerate() {
        for (overwrite, allowed) in [(false, mixture.allowed.0), (true, mixture.allowed.1)] {
            let home = tempfile::tempdir().expect("tempdir");
            let place = home.path().join("out");
            std::fs::create_dir(&place).expect("mkdir");
            for (name, text) in mixture.files {
                let path = place.join(name);
                std::fs::create_dir_all(path.parent().expect("a folder")).expect("mkdir");
                std::fs::write(path, text).expect("write");
            }
            let target = check_target("out", home.path(), None, &Stores::new(), overwrite).await;
            assert_eq!(target.is_ok(), allowed, "{at} {overwrite}: {target:?}");
            // Published all the same: what changed after the first look is seen by the second.
            let target = Target::Directory(place.clone());
            let published = staged(&target).expect("staged").publish(&target, overwrite).await;
            assert_eq!(published.is_ok(), allowed, "{at} {overwrite}: {published:?}");
            assert_eq!(files_in(&place), expected(mixture, allowed), "{at} {overwrite}");
        }
    }
}

async fn store_with(files: &[(&str, &str)]) -> Objects {
    let objects = Objects {
        store: Arc::new(InMemory::new()),
        prefix: ObjectPath::from("some/out"),
        name: "s3://b/some/out".into(),
    };
    // Neighbours of the place are none of its business.
    for other in ["some/outer/diff.csv", "some/notes.txt"] {
        objects.store.put(&ObjectPath::from(other), "x".into()).await.expect("put");
    }
    for (name, text) in files {
        objects
            .store
            .put(&objects.at_deep(name), Bytes::copy_from_slice(text.as_bytes()).into())
            .await
            .expect("put");
    }
    objects
}

impl Objects {
    fn at_deep(&self, name: &str) -> ObjectPath {
        ObjectPath::from(format!("{}/{name}", self.prefix))
    }

    async fn files(&self) -> BTreeMap<String, String> {
        let mut files = BTreeMap::new();
        let metas: Vec<_> = self.store.list(Some(&self.prefix)).try_collect().await.expect("list");
        for meta in metas {
            let bytes = self.store.get(&meta.location).await.expect("get").bytes().await.expect("bytes");
            let name = meta.location.as_ref()["some/out/".len()..].to_owned();
            files.insert(name, String::from_utf8_lossy(&bytes).into_owned());
        }
        files
    }
}

async fn deliver(objects: &Objects, writer: &str, overwrite: bool, before: impl Fn(ResultFile) + Send + Sync) -> Result<()> {
    let delivery = Delivery {
        objects,
        writer,
        summary: Bytes::from_static(b"new"),
        tables: ResultFile::TABLES.to_vec(),
        overwrite,
    };
    let table = |name: ResultFile| {
        before(name);
        async move {
            let put = objects.store.put(&objects.at(name), Bytes::from_static(b"new").into()).await;
            put.map(|_| ()).map_err(|e| objects.error(e))
        }
        .boxed()
    };
    delivery.run(&table).await
}

#[tokio::test]
async fn a_bucket_keeps_all_that_is_not_ours() {
    for (at, mixture) in MIXTURES.iter().enumerate() {
        for (overwrite, allowed) in [(false, mixture.allowed.0), (true, mixture.allowed.1)] {
            let objects = store_with(mixture.files).await;
            let done = deliver(&objects, "me", overwrite, |_| ()).await;
            assert_eq!(done.is_ok(), allowed, "{at} {overwrite}: {done:?}");
            assert_eq!(objects.files().await, expected(mixture, allowed), "{at} {overwrite}");
            // Once more: an answer that was lost is found again.
            assert_eq!(
                deliver(&objects, "me", overwrite, |_| ()).await.is_ok(),
                allowed,
                "{at} {overwrite}"
            );
        }
    }
}

#[tokio::test]
async fn a_delivery_that_broke_off_goes_on_and_only_its_own() {
    let objects = store_with(&[]).await;
    let mark = Writing::new("me").bytes().expect("a mark");
    objects.store.put(&objects.at(WRITING), mark.into()).await.expect("put");
    objects.store.put(&objects.at("diff.csv"), "half".into()).await.expect("put");
    let other = deliver(&objects, "other", false, |_| ()).await;
    assert!(other.expect_err("it is taken").to_string().contains("unfinished"));
    deliver(&objects, "me", false, |_| ()).await.expect("it goes on");
    assert_eq!(objects.files().await.len(), ResultFile::ALL.len());
}

#[tokio::test]
async fn of_two_writers_at_one_place_one_stands_back() {
    let objects = store_with(&[]).await;
    // Another takes the place over while this one is about to put its second table.
    let taken = deliver(&objects, "me", false, |name| {
        if name == ResultFile::Accounts {
            let mark = Writing::new("other").bytes().expect("a mark");
            let place = objects.at(WRITING);
            let put = objects.store.put(&place, mark.into());
            put.now_or_never().expect("memory answers at once").expect("put");
        }
    })
    .await;
    assert!(taken.expect_err("it is lost").to_string().contains("somebody else"));
    assert!(
        !objects.files().await.contains_key(ResultFile::Summary.name()),
        "no summary stands over a mixture"
    );
}

#[test]
fn what_a_job_reads_is_never_written_to() {
    let home = tempfile::tempdir().expect("tempdir");
    for file in ["in/l.csv", "in/s.csv", "lists/trial.csv", "flags/flipped.csv", "specs/spec.yaml"] {
        let path = home.path().join(file);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("mkdir");
        std::fs::write(path, "id\n").expect("write");
    }
    let text = "live: in/l.csv\nshadow: in/s.csv\naccount: id\nbaseline: {default: live, shadow_for: {file: flags/flipped.csv}}\n\
                expected: [{name: trial, accounts: {file: lists/trial.csv}}]\n";
    let parsed = shadowdiff_core::spec::parse(text, "spec", &shadowdiff_core::spec::Overrides::default()).expect("a spec");
    let spec_file = home.path().join("specs/spec.yaml");
    let reads = Reads {
        spec: &parsed.spec,
        base: home.path(),
        spec_file: Some(&spec_file),
    };
    for (output, allowed) in [
        ("in", false),
        ("lists", false),
        ("flags", false),
        ("specs", false),
        (".", false),
        ("lists/../in", false),
        ("out", true),
        ("in/out", true),
    ] {
        let (stores, overwrite) = (Stores::new(), true);
        // Every folder looks like an older result, so that only what it holds speaks against it.
        let folder = home.path().join(output);
        std::fs::create_dir_all(&folder).expect("mkdir");
        std::fs::write(folder.join(ResultFile::Summary.name()), SUMMARY_OF_OURS).expect("write");
        let found = check_target(output, home.path(), Some(reads), &stores, overwrite).now_or_never();
        let found = found.expect("nothing is waited for on a local disk");
        assert_eq!(found.is_ok(), allowed, "{output}: {found:?}");
    }
}

#[test]
fn http_is_only_read() {
    let found = check_target("http://h/out", Path::new("/"), None, &Stores::new(), true).now_or_never();
    let error = found.expect("nothing is asked").expect_err("it is refused");
    assert!(error.to_string().contains("only read"), "{error}");
}

/// The summary of a result with this table too.
fn summary_that_names(table: ResultFile) -> String {
    let mut summary: serde_json::Value = serde_json::from_str(SUMMARY_OF_OURS).expect("JSON");
    summary["files"][table.name()] = summary["files"]["diff.csv"].clone();
    summary.to_string()
}

#[tokio::test]
async fn a_table_that_not_every_result_has_goes_with_the_result_that_had_it() {
    let table = ResultFile::OPTIONAL[0];
    for (summary, goes) in [(summary_that_names(table), true), (SUMMARY_OF_OURS.to_owned(), false)] {
        let files = [
            (ResultFile::Summary.name(), summary.as_str()),
            ("diff.csv", "id\n"),
            ("accounts.csv", "id\n"),
            (table.name(), "rows"),
        ];
        let home = tempfile::tempdir().expect("tempdir");
        let place = home.path().join("out");
        std::fs::create_dir(&place).expect("mkdir");
        files
            .iter()
            .for_each(|(name, text)| std::fs::write(place.join(name), text).expect("write"));
        let target = Target::Directory(place.clone());
        let staging = staged(&target).expect("staged");
        std::fs::remove_file(staging.path(table)).expect("it was staged");
        staging.publish(&target, true).await.expect("published");
        assert_eq!(!files_in(&place).contains_key(table.name()), goes);

        let objects = store_with(&files).await;
        let delivery = Delivery {
            objects: &objects,
            writer: "me",
            summary: Bytes::from_static(b"new"),
            tables: vec![ResultFile::Diff, ResultFile::Accounts],
            overwrite: true,
        };
        let put = |name: ResultFile| {
            let objects = &objects;
            async move {
                let put = objects.store.put(&objects.at(name), Bytes::from_static(b"new").into()).await;
                put.map(|_| ()).map_err(|e| objects.error(e))
            }
            .boxed()
        };
        delivery.run(&put).await.expect("delivered");
        assert_eq!(!objects.files().await.contains_key(table.name()), goes);
    }
}

/// A result with an optional file takes the place of an older one, but not of a file that only has its name.
#[tokio::test]
async fn an_optional_file_of_somebody_else_stays() {
    for table in ResultFile::OPTIONAL {
        let files = [(ResultFile::Summary.name(), SUMMARY_OF_OURS), (table.name(), "another's")];
        let home = tempfile::tempdir().expect("tempdir");
        let place = home.path().join("out");
        std::fs::create_dir(&place).expect("mkdir");
        files
            .iter()
            .for_each(|(name, text)| std::fs::write(place.join(name), text).expect("write"));
        let before = files_in(&place);
        let target = Target::Directory(place.clone());
        let refused = staged(&target)
            .expect("staged")
            .publish(&target, true)
            .await
            .expect_err("it is not ours");
        assert!(refused.to_string().contains(table.name()), "{refused}");
        assert_eq!(files_in(&place), before);

        let objects = store_with(&files).await;
        let before = objects.files().await;
        let delivery = Delivery {
            objects: &objects,
            writer: "me",
            summary: Bytes::from_static(b"new"),
            tables: vec![ResultFile::Diff, ResultFile::Accounts, table],
            overwrite: true,
        };
        let put = |_: ResultFile| async { Ok(()) }.boxed();
        delivery.run(&put).await.expect_err("it is not ours");
        assert_eq!(objects.files().await, before);
    }
}
