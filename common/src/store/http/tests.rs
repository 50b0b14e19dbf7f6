//! Servers of every kind, played by a task on a local port.

use super::*;
use crate::store::{Location, Stores};
use object_store::{GetOptions, ObjectStore, ObjectStoreExt};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Serves ranges and names the content.
    Ranges,
    /// Serves ranges, but nothing says when the content changes.
    RangesUnnamed,
    /// Always the whole file.
    Whole,
    /// The same, in chunks without a length.
    Chunked,
    /// Whole, and the connection breaks before the end.
    Cut,
    /// Whole, and only the end of the connection tells where it ends.
    Endless,
}

/// Serves `content`; to requests of another query or login, 403. Counts the requests.
async fn serve(kind: Kind, content: &'static [u8], only: Option<&'static str>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let mut asked = Vec::new();
            while !asked.windows(4).any(|w| w == b"\r\n\r\n") {
                let mut buffer = [0; 4096];
                match stream.read(&mut buffer).await {
                    Ok(read) if read > 0 => asked.extend_from_slice(&buffer[..read]),
                    _ => break,
                }
            }
            counted.fetch_add(1, Ordering::SeqCst);
            let answer = answer(kind, content, only, &String::from_utf8_lossy(&asked));
            let _ = stream.write_all(&answer).await;
        }
    });
    (format!("127.0.0.1:{}", address.port()), requests)
}

fn answer(kind: Kind, content: &[u8], only: Option<&str>, asked: &str) -> Vec<u8> {
    const CLOSE: &str = "connection: close\r\n";
    if only.is_some_and(|only| !asked.contains(only)) || asked.starts_with("HEAD") {
        return format!("HTTP/1.1 403 Forbidden\r\n{CLOSE}content-length: 0\r\n\r\n").into_bytes();
    }
    let asked = asked.to_lowercase();
    let range = asked.lines().find_map(|line| line.strip_prefix("range: bytes=")?.split_once('-'));
    let range = range.map(|(from, to)| {
        (
            from.parse::<usize>().expect("a number"),
            to.trim().parse::<usize>().expect("a number"),
        )
    });
    let size = content.len();
    let mut answer = match (kind, range) {
        (Kind::Ranges | Kind::RangesUnnamed, Some((from, _))) if from >= size => {
            return format!("HTTP/1.1 416 No\r\n{CLOSE}etag: \"1\"\r\ncontent-range: bytes */{size}\r\ncontent-length: 0\r\n\r\n")
                .into_bytes();
        }
        (Kind::Ranges | Kind::RangesUnnamed, Some((from, to))) => {
            let part = &content[from..size.min(to + 1)];
            let name = if kind == Kind::Ranges { "etag: \"1\"\r\n" } else { "" };
            let end = from + part.len() - 1;
            let length = part.len();
            let head =
                format!("HTTP/1.1 206 Part\r\n{CLOSE}{name}content-range: bytes {from}-{end}/{size}\r\ncontent-length: {length}\r\n\r\n");
            return [head.as_bytes(), part].concat();
        }
        (Kind::Chunked, _) => format!("HTTP/1.1 200 OK\r\n{CLOSE}transfer-encoding: chunked\r\n\r\n{size:x}\r\n"),
        (Kind::Endless, _) => format!("HTTP/1.1 200 OK\r\n{CLOSE}\r\n"),
        (Kind::Cut, _) => format!("HTTP/1.1 200 OK\r\n{CLOSE}content-length: {}\r\n\r\n", size + 1),
        (Kind::Ranges | Kind::RangesUnnamed | Kind::Whole, _) => format!("HTTP/1.1 200 OK\r\n{CLOSE}content-length: {size}\r\n\r\n"),
    }
    .into_bytes();
    answer.extend_from_slice(content);
    if kind == Kind::Chunked {
        answer.extend_from_slice(b"\r\n0\r\n\r\n");
    }
    answer
}

async fn read(url: &str, range: Range<u64>) -> object_store::Result<(u64, Option<String>, Bytes)> {
    let location = Location::parse(url, Path::new("/")).expect("a place");
    let (store, path) = (Stores::new().open(&location).expect("opens"), location.key().expect("a key"));
    let meta = store.head(&path).await?;
    let options = GetOptions {
        range: Some(range.into()),
        if_match: meta.e_tag.clone(),
        ..GetOptions::default()
    };
    let part = store.get_opts(&path, options).await?;
    assert_eq!(
        (part.meta.size, &part.meta.e_tag),
        (meta.size, &meta.e_tag),
        "the pin agrees with what is read"
    );
    Ok((meta.size, meta.e_tag, part.bytes().await?))
}

#[tokio::test]
async fn ranges_are_read_from_every_server() {
    for (kind, copied) in [
        (Kind::Ranges, false),
        (Kind::RangesUnnamed, true),
        (Kind::Whole, true),
        (Kind::Chunked, true),
    ] {
        let (host, requests) = serve(kind, b"id,v\n1,2\n", None).await;
        let (size, etag, part) = read(&format!("http://{host}/a%20b.csv"), 5..8)
            .await
            .unwrap_or_else(|e| panic!("{kind:?}: {e}"));
        assert_eq!((size, part.as_ref()), (9, &b"1,2"[..]), "{kind:?}");
        assert_eq!(is_copied(etag.as_deref()), copied, "{kind:?}: {etag:?}");
        let most = if kind == Kind::Whole || kind == Kind::Chunked { 1 } else { 2 };
        assert_eq!(requests.load(Ordering::SeqCst), most, "{kind:?}");
    }
}

#[tokio::test]
async fn user_password_and_query_go_with_every_request() {
    for (url, only) in [
        ("http://HOST/a.csv?sig=a%2Fb/c&x=ü", "GET /a.csv?sig=a%2Fb/c&x=%C3%BC HTTP"),
        ("http://us%40er:p%3Aw@HOST/a.csv", "Basic dXNAZXI6cDp3"),
    ] {
        let (host, _) = serve(Kind::Ranges, b"id\n1\n", Some(only)).await;
        let (size, _, part) = read(&url.replace("HOST", &host), 3..4)
            .await
            .unwrap_or_else(|e| panic!("{url}: {e}"));
        assert_eq!((size, part.as_ref()), (5, &b"1"[..]), "{url}");
    }
}

#[tokio::test]
async fn an_empty_file_has_no_first_byte() {
    let (host, _) = serve(Kind::Ranges, b"", None).await;
    let location = Location::parse(&format!("http://{host}/a.csv"), Path::new("/")).expect("a place");
    let store = Stores::new().open(&location).expect("opens");
    assert_eq!(store.head(&location.key().expect("a key")).await.expect("a head").size, 0);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_file() {
    for kind in [Kind::Cut, Kind::Endless] {
        let (host, _) = serve(kind, b"id\n1\n", None).await;
        let once = object_store::RetryConfig {
            max_retries: 0,
            ..object_store::RetryConfig::default()
        };
        let store = HttpBuilder::new()
            .with_url(format!("http://{host}"))
            .with_retry(once)
            .with_client_options(ClientOptions::new().with_allow_http(true))
            .with_http_connector(Connector(Access::default()))
            .build()
            .expect("opens");
        let read = store.head(&"a.csv".into()).await;
        assert!(read.is_err(), "{kind:?}: {read:?}");
    }
}
