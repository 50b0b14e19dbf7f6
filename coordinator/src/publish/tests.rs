//! Local places: new ones, older results, two writers.

use super::*;
use crate::target::check_target;
use shadowdiff_common::store::Stores;

fn staged(target: &Target, text: &str) -> Staging {
    let staging = Staging::new(target).expect("staging");
    for name in ResultFile::ALL {
        let mut file = staging.create(name).expect("create");
        file.write_all(text.as_bytes()).expect("write");
        let mark = file.finish().expect("finish");
        assert_eq!(mark.size_bytes, text.len() as u64);
    }
    staging
}

#[tokio::test]
async fn a_new_place_appears_whole_and_an_abandoned_one_leaves_nothing() {
    let home = tempfile::tempdir().expect("tempdir");
    let target = check_target("deep/out", home.path(), None, &Stores::new(), false)
        .await
        .expect("free");
    drop(staged(&target, "0"));
    staged(&target, "1").publish(&target, false).await.expect("published");
    assert_eq!(std::fs::read_to_string(home.path().join("deep/out/diff.csv")).expect("read"), "1");
    let left: Vec<_> = std::fs::read_dir(home.path().join("deep")).expect("list").collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[tokio::test]
async fn of_two_runs_to_one_new_place_the_second_fails_and_changes_nothing() {
    let home = tempfile::tempdir().expect("tempdir");
    let target = Target::Directory(home.path().join("out"));
    let (first, second) = (staged(&target, "1"), staged(&target, "2"));
    first.publish(&target, false).await.expect("published");
    let error = second.publish(&target, true).await.expect_err("it is filled");
    assert!(error.to_string().contains("somebody else"), "{error}");
    assert_eq!(std::fs::read_to_string(home.path().join("out/diff.csv")).expect("read"), "1");
    assert_eq!(std::fs::read_dir(home.path()).expect("list").count(), 1);
}

#[tokio::test]
async fn one_writes_at_a_time() {
    let home = tempfile::tempdir().expect("tempdir");
    let target = Target::Directory(home.path().to_owned());
    let mut lock = Lock::take(home.path()).expect("free");
    lock.mark().expect("marked");
    let error = staged(&target, "1").publish(&target, true).await.expect_err("it is locked");
    assert!(error.to_string().contains("another process"), "{error}");
    // As after a writer that was killed.
    drop(lock);
    staged(&target, "2")
        .publish(&target, false)
        .await
        .expect("the lock went with its process");
    assert_eq!(std::fs::read_dir(home.path()).expect("list").count(), ResultFile::ALL.len());
}
