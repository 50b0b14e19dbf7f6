//! Reads files from HTTP servers of every kind as if each served ranges, sizes and a name for the content.
//!
//! | the server | what is done |
//! |---|---|
//! | serves ranges | its ranges are read; size and ETag come with the first byte, since a signature for GET is none for HEAD |
//! | answers a range with the whole file | the file is copied once to the temporary directory, and ranges are read from there |
//! | names neither ETag nor time of change | the same: only a copy is sure to stay what it was |
//!
//! A copy is known by its digest, so that two processes that copied different contents notice. User, password and query of the address
//! are put to each request here; nobody above knows them.

use super::{Access, Marking};
use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse, HttpResponseBody, HttpService,
    ReqwestConnector,
};
use object_store::http::{HttpBuilder, HttpStore};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// Opens the server behind `root`.
pub(super) fn open(root: &str, access: &Access) -> object_store::Result<HttpStore> {
    HttpBuilder::new()
        .with_url(root)
        // Waited for here: a copy of a large file takes longer than any one request.
        .with_client_options(ClientOptions::new().with_allow_http(true).with_timeout_disabled())
        .with_http_connector(Connector(access.clone()))
        .build()
}

/// Whether a file of this ETag is read from a copy, which a process makes when it first asks for its head.
pub(crate) fn is_copied(etag: Option<&str>) -> bool {
    etag.is_some_and(|etag| etag.starts_with(DIGEST))
}

#[derive(Debug)]
struct Connector(Access);

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Server {
            client: ReqwestConnector::default().connect(options)?,
            access: self.0.clone(),
            copies: Mutex::default(),
        }))
    }
}

/// One server; what is asked of it is only ever GET.
#[derive(Debug)]
struct Server {
    client: HttpClient,
    access: Access,
    /// Files that cannot be read by ranges, by path. One is copied at a time.
    copies: Mutex<BTreeMap<String, Arc<Copy>>>,
}

const OK: u16 = 200;
const PARTIAL: u16 = 206;
const NOT_SATISFIABLE: u16 = 416;
/// Begins the name of a copy, in place of the server's ETag.
const DIGEST: &str = "\"sha256-";
/// How long a server may be silent.
const PATIENCE: Duration = Duration::from_secs(60);
/// For ranges of a copy.
const MAX_RANGE_BYTES: u64 = 64 << 20;

#[async_trait]
impl HttpService for Server {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let asked = Asked::of(&request)?;
        if let Some(copy) = self.copies.lock().await.get(&asked.path) {
            return copy.answer(&asked);
        }
        let range = if asked.is_head {
            Some("bytes=0-0".to_owned())
        } else {
            asked.range_text.clone()
        };
        let response = self.execute(self.request(&request, range)?).await?;
        let status = response.status().as_u16();
        if asked.is_head && status == PARTIAL && has_name(&response)
            || asked.is_head && status == NOT_SATISFIABLE && text_of(&response, "content-range") == Some("bytes */0")
        {
            return head(response);
        }
        let is_whole = status == OK && (asked.is_head || asked.range_text.is_some());
        let is_unnamed = asked.is_head && status == PARTIAL;
        if !(is_whole || is_unnamed) {
            return Ok(response);
        }
        let mut copies = self.copies.lock().await;
        if let Some(copy) = copies.get(&asked.path) {
            return copy.answer(&asked);
        }
        let response = if is_whole {
            response
        } else {
            self.execute(self.request(&request, None)?).await?
        };
        if response.status().as_u16() != OK {
            return Ok(response);
        }
        let copy = Arc::new(Copy::of(response, &asked.path).await?);
        copies.insert(asked.path.clone(), Arc::clone(&copy));
        copy.answer(&asked)
    }
}

impl Server {
    async fn execute(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        timeout(PATIENCE, self.client.execute(request)).await.map_err(silent)?
    }

    /// The request as the server is to see it.
    fn request(&self, asked: &HttpRequest, range: Option<String>) -> Result<HttpRequest, HttpError> {
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.headers_mut() = asked.headers().clone();
        let headers = request.headers_mut();
        headers.remove("range");
        if let Some(range) = range {
            headers.insert("range", range.parse().map_err(unusable)?);
        }
        if let Some(login) = self.access.login() {
            let value = format!("Basic {}", BASE64_STANDARD.encode(&login)).parse();
            headers.insert("authorization", value.map_err(unusable)?);
        }
        // A range is one of the bytes as stored.
        headers.insert("accept-encoding", "identity".parse().map_err(unusable)?);
        *request.uri_mut() = match self.access.query() {
            Some(query) => format!("{}?{}", asked.uri(), encoded(query)).parse().map_err(unusable)?,
            None => asked.uri().clone(),
        };
        Ok(request)
    }
}

/// What object_store asks for.
#[derive(Debug)]
struct Asked {
    path: String,
    is_head: bool,
    range_text: Option<String>,
}

impl Asked {
    fn of(request: &HttpRequest) -> Result<Asked, HttpError> {
        let text = |name: &str| {
            let value = request.headers().get(name).map(|value| value.to_str().map(str::to_owned));
            value.transpose().map_err(unusable)
        };
        Ok(Asked {
            path: request.uri().path().to_owned(),
            is_head: request.method().as_str() == "HEAD",
            range_text: text("range")?,
        })
    }

    /// The range in bytes; `None` where it is not of the form that is sent here, `bytes=0-99`.
    fn range(&self, size: u64) -> Option<Range<u64>> {
        let Some(text) = &self.range_text else { return Some(0..size) };
        let (start, end) = text.strip_prefix("bytes=")?.split_once('-')?;
        let (start, end): (u64, u64) = (start.parse().ok()?, end.parse().ok()?);
        (start <= end && start < size).then(|| start..size.min(end + 1))
    }
}

/// A whole file in the temporary directory; gone with the process.
#[derive(Debug)]
struct Copy {
    file: std::fs::File,
    size: u64,
    etag: String,
    modified: Option<String>,
}

impl Copy {
    async fn of(response: HttpResponse, path: &str) -> Result<Copy, HttpError> {
        if !tells_its_end(&response) {
            let what = "the server does not say where the file ends (neither Content-Length nor chunks), so a file that is cut short would go unnoticed";
            return Err(HttpError::new(HttpErrorKind::Decode, io::Error::other(what)));
        }
        let modified = text_of(&response, "last-modified").map(str::to_owned);
        tracing::info!("{path}: the server does not serve ranges; the file is copied to the temporary directory");
        let mut file = tempfile::tempfile().map_err(disk)?;
        let mut marking = Marking::default();
        let mut body = response.into_body().bytes_stream();
        // A large file may take long, so each piece is waited for on its own.
        while let Some(piece) = timeout(PATIENCE, body.try_next()).await.map_err(silent)?? {
            file.write_all(&piece).map_err(disk)?;
            marking.update(&piece);
        }
        let mark = marking.finish();
        Ok(Copy {
            file,
            size: mark.size_bytes,
            etag: format!("{DIGEST}{}\"", mark.sha256),
            modified,
        })
    }

    fn answer(&self, asked: &Asked) -> Result<HttpResponse, HttpError> {
        let range = if asked.is_head {
            Some(0..self.size)
        } else {
            asked.range(self.size)
        };
        let Some(range) = range.filter(|range| asked.is_head || range.end - range.start <= MAX_RANGE_BYTES) else {
            let mut refused = HttpResponse::new(Bytes::new().into());
            *refused.status_mut() = NOT_SATISFIABLE.try_into().map_err(unusable)?;
            return Ok(refused);
        };
        let body: HttpResponseBody = if asked.is_head {
            Bytes::new().into()
        } else {
            let mut bytes = vec![0; (range.end - range.start) as usize];
            self.file.read_exact_at(&mut bytes, range.start).map_err(disk)?;
            bytes.into()
        };
        let mut response = HttpResponse::new(body);
        let headers = response.headers_mut();
        headers.insert("etag", self.etag.parse().map_err(unusable)?);
        headers.insert("content-length", (range.end - range.start).into());
        if let Some(modified) = &self.modified {
            headers.insert("last-modified", modified.parse().map_err(unusable)?);
        }
        if asked.range_text.is_some() {
            let shown = format!("bytes {}-{}/{}", range.start, range.end - 1, self.size);
            headers.insert("content-range", shown.parse().map_err(unusable)?);
            *response.status_mut() = PARTIAL.try_into().map_err(unusable)?;
        }
        Ok(response)
    }
}

/// Whether a body that breaks off can be told from one that ends: by its length, by chunks, or by HTTP/2.
fn tells_its_end(response: &HttpResponse) -> bool {
    let is_chunked = text_of(response, "transfer-encoding").is_some_and(|coding| coding.to_ascii_lowercase().contains("chunked"));
    // An answer that is made here is one of HTTP/1.1.
    let is_newer = response.version() > HttpResponse::new(Bytes::new().into()).version();
    is_chunked || is_newer || text_of(response, "content-length").is_some()
}

/// Whether a later read can tell that the content is another.
fn has_name(response: &HttpResponse) -> bool {
    text_of(response, "etag").is_some() || text_of(response, "last-modified").is_some()
}

fn text_of<'a>(response: &'a HttpResponse, header: &str) -> Option<&'a str> {
    response.headers().get(header)?.to_str().ok()
}

/// The answer to HEAD, made of one to GET with a range.
fn head(response: HttpResponse) -> Result<HttpResponse, HttpError> {
    let (mut parts, _) = response.into_parts();
    let range = parts.headers.remove("content-range");
    let size = range
        .as_ref()
        .and_then(|range| range.to_str().ok()?.rsplit_once('/')?.1.parse::<u64>().ok());
    let size = size.ok_or_else(|| {
        HttpError::new(
            HttpErrorKind::Decode,
            io::Error::other("the server answers a range without the size of the file"),
        )
    })?;
    parts.headers.insert("content-length", size.into());
    parts.status = OK.try_into().map_err(unusable)?;
    Ok(HttpResponse::from_parts(parts, Bytes::new().into()))
}

/// A query as it may stand in a request: what is encoded stays, what must be is.
fn encoded(query: &str) -> String {
    query.chars().fold(String::new(), |mut text, c| {
        if c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '`' | '\\' | '^' | '{' | '|' | '}') {
            text.push(c);
        } else {
            text.extend(percent_encoding::utf8_percent_encode(
                c.encode_utf8(&mut [0; 4]),
                percent_encoding::NON_ALPHANUMERIC,
            ));
        }
        text
    })
}

fn unusable(error: impl std::error::Error + Send + Sync + 'static) -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, error)
}

fn silent(_: tokio::time::error::Elapsed) -> HttpError {
    let error = io::Error::new(io::ErrorKind::TimedOut, format!("no answer for {} seconds", PATIENCE.as_secs()));
    HttpError::new(HttpErrorKind::Timeout, error)
}

fn disk(error: io::Error) -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, error)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test sees its own panics")]
mod tests;
