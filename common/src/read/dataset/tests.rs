//! Layouts of datasets: what is listed, and what is refused.

use super::*;
use crate::read::testing::{Folder, dataset};

async fn listed(folder: &Folder, paths: &[&str]) -> Result<Dataset> {
    list(Side::Shadow, &dataset(paths), &folder.path(""), &Stores::new()).await
}

async fn names(folder: &Folder, paths: &[&str]) -> Vec<String> {
    listed(folder, paths)
        .await
        .expect("lists")
        .files
        .into_iter()
        .map(|file| file.name)
        .collect()
}

async fn refused(folder: &Folder, paths: &[&str]) -> String {
    listed(folder, paths).await.expect_err("is refused").to_string()
}

fn folder(files: &[&str]) -> Folder {
    let folder = Folder::new();
    files.iter().for_each(|name| folder.write(name, b"x\n"));
    folder
}

#[tokio::test]
async fn what_spark_leaves_behind_is_no_data() {
    let spark = folder(&[
        "d/_SUCCESS",
        "d/.p.csv.crc",
        "d/_temporary/0/p.csv",
        "d/p.csv",
        "d/_k=1/q.csv",
        "d/sub/r.CSV.gz",
    ]);
    assert_eq!(names(&spark, &["d"]).await, ["d/_k=1/q.csv", "d/p.csv", "d/sub/r.CSV.gz"]);
}

#[tokio::test]
async fn names_are_taken_as_they_are() {
    let odd = [
        "d/100% + über&more.csv",
        "d/L%3ABC.csv",
        "d/part 1 #2.csv",
        "d/x[1].csv",
        "d/y*.csv",
    ];
    let files = folder(&odd);
    assert_eq!(names(&files, &["d/"]).await, odd);
    assert_eq!(names(&files, &odd).await, odd);
    let absolute = format!("file://{}", files.path("d/part%201%20%232.csv").display());
    assert_eq!(listed(&files, &[&absolute]).await.expect("lists").files[0].pin.size_bytes, 2);
}

#[tokio::test]
async fn globs_and_lists() {
    let files = folder(&[
        "s/old.csv",
        "s/part-0.csv",
        "s/part-1.csv",
        "s/d=1/a.csv",
        "s/d=2/a.csv",
        "s/d=2/_x.csv",
    ]);
    assert_eq!(names(&files, &["s/part-*.csv"]).await, ["s/part-0.csv", "s/part-1.csv"]);
    assert_eq!(
        names(&files, &["s/part-1.csv", "s/../s/part-*.csv", "s/part-1.csv"]).await,
        ["s/../s/part-0.csv", "s/../s/part-1.csv"]
    );
    assert_eq!(names(&files, &["s/d={1,2}"]).await, ["s/d=1/a.csv", "s/d=2/a.csv"]);
    let partitions = listed(&files, &["s/d=*/*.csv"]).await.expect("lists").files.remove(1).partitions;
    assert_eq!(partitions, [("d".to_string(), Some("2".to_string()))]);
    assert!(listed(&files, &["s/d=2"]).await.expect("lists").files[0].partitions.is_empty());
    assert_eq!(names(&files, &["s/d=2/_*.csv"]).await, ["s/d=2/_x.csv"]);
}

#[cfg(unix)]
#[tokio::test]
async fn links_are_followed() {
    let files = folder(&["d/a.csv", "other/b.csv"]);
    std::os::unix::fs::symlink("../other/b.csv", files.path("d/l.csv")).expect("links");
    std::os::unix::fs::symlink("../other", files.path("d/sub")).expect("links");
    assert_eq!(names(&files, &["d"]).await, ["d/a.csv", "d/l.csv", "d/sub/b.csv"]);
    std::os::unix::fs::symlink("nowhere", files.path("d/lost.csv")).expect("links");
    assert!(refused(&files, &["d"]).await.contains("d/lost.csv does not exist"));
}

#[tokio::test]
async fn what_is_no_dataset_says_so() {
    let files = folder(&[
        "none/_SUCCESS",
        "two/a.csv",
        "two/b.jsonl",
        "unknown/a.dat",
        "delta/_delta_log/0.json",
        "delta/d=1/a.parquet",
        "iceberg/metadata/v1.metadata.json",
        "iceberg/data/a.parquet",
        "hudi/.hoodie/x",
        "tables/one/_delta_log/0.json",
        "twice/a=1/a=2/x.csv",
        "zip/a.parquet.gz",
    ]);
    for name in ["zero/a.parquet", "zero2/a.csv"] {
        files.write(name, b"");
    }
    let cases: [(&str, &[&str]); 13] = [
        ("none", &["shadow", "none", "no data files"]),
        ("absent", &["shadow", "absent", "does not exist"]),
        ("two", &["two/a.csv", "two/b.jsonl", "formats"]),
        ("unknown", &["unknown/a.dat", "unknown extension"]),
        ("delta", &["Delta table", "_delta_log"]),
        ("delta/d=1", &["Delta table"]),
        ("delta/*.parquet", &["Delta table"]),
        ("iceberg", &["Iceberg"]),
        ("hudi", &["Hudi"]),
        ("tables", &["tables/one", "Delta"]),
        ("twice", &["`a`"]),
        ("zero", &["zero/a.parquet", "zero bytes"]),
        ("zero2", &["zero2/a.csv", "header"]),
    ];
    for (path, words) in cases {
        let message = refused(&files, &[path]).await;
        assert!(words.iter().all(|word| message.contains(word)), "{path}: {message}");
    }
    assert!(refused(&files, &["zip"]).await.contains("decompress"));
    assert!(refused(&files, &["two/a.csv", "two/x*.csv"]).await.contains("two/x*.csv"));
}

#[tokio::test]
async fn a_dataset_that_is_not_ready_is_refused_or_waited_for() {
    let files = folder(&["d/a.csv"]);
    let mut spec = dataset(&["d"]);
    spec.ready = Some(shadowdiff_core::spec::Ready {
        marker: "_SUCCESS".into(),
        wait_ms: 0,
    });
    let error = list(Side::Live, &spec, &files.path(""), &Stores::new())
        .await
        .expect_err("is not ready");
    assert!(
        error.to_string().contains("live") && error.to_string().contains("_SUCCESS"),
        "{error}"
    );
    spec.ready = Some(shadowdiff_core::spec::Ready {
        marker: "_SUCCESS".into(),
        wait_ms: 60_000,
    });
    let marker = files.path("d/_SUCCESS");
    tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        std::fs::write(marker, b"").expect("writes");
    });
    assert_eq!(
        list(Side::Live, &spec, &files.path(""), &Stores::new())
            .await
            .expect("lists")
            .files
            .len(),
        1
    );
}

#[tokio::test]
async fn objects_are_listed_like_files() {
    use object_store::{ObjectStore, ObjectStoreExt, memory::InMemory, path::Path};
    let store = InMemory::new();
    for key in [
        "t/_SUCCESS",
        "t/d=1%3A0/a.csv",
        "t/d=2/_x.csv",
        "t/d=2/b.csv",
        "u/_delta_log/0.json",
        "u/d=1/a.csv",
    ] {
        store.put(&Path::parse(key).expect("a key"), "x\n".into()).await.expect("puts");
    }
    store.put(&Path::parse("t/d=2").expect("a key"), "".into()).await.expect("puts");
    let wanted = |shown: &str, glob: Option<&str>| DatasetEntry {
        shown: shown.into(),
        location: Location::parse(shown, std::path::Path::new("/")).expect("a place"),
        glob: glob.map(|pattern| Glob::parse(pattern).expect("a glob")),
    };
    let store: &dyn ObjectStore = &store;
    let found = |listed: Listed| {
        listed
            .found
            .into_iter()
            .map(|found| (found.name, found.relative))
            .collect::<Vec<_>>()
    };
    let all = found(objects::list(&wanted("s3://b/t", None), store).await.expect("lists"));
    let pair = |name: &str, relative: &str| (name.to_string(), relative.to_string());
    let (a, b) = (
        pair("s3://b/t/d=1%3A0/a.csv", "d=1%3A0/a.csv"),
        pair("s3://b/t/d=2/b.csv", "d=2/b.csv"),
    );
    assert_eq!(all, [a, b.clone()]);
    assert_eq!(
        found(objects::list(&wanted("s3://b/t", Some("*/b*")), store).await.expect("lists")),
        [b]
    );
    let one = found(objects::list(&wanted("s3://b/t/d=1%3A0/a.csv", None), store).await.expect("lists"));
    assert_eq!(one, [pair("s3://b/t/d=1%3A0/a.csv", "a.csv")]);
    for place in ["s3://b/u", "s3://b/u/d=1", "s3://b"] {
        assert!(
            objects::list(&wanted(place, None), store)
                .await
                .expect_err(place)
                .to_string()
                .contains("Delta"),
            "{place}"
        );
    }
    assert!(
        objects::list(&wanted("s3://b/absent", None), store)
            .await
            .expect("lists")
            .found
            .is_empty()
    );
}
