//! Tells somebody over HTTP that a comparison has ended. Bounded in time and in tries; whether it is heard changes nothing about the comparison.

use crate::store::Location;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use object_store::client::{HttpClient, HttpRequest, HttpRequestBody};
use reqwest::redirect::Policy;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::notice::Notice;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How long one try may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pauses between tries; there is one try more than pauses.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// Who is told.
#[derive(Clone)]
pub struct Listener {
    /// Without a user. Its path may be a secret, as its query is: neither is ever shown.
    address: String,
    /// Scheme and host.
    host: String,
    /// What the header says of the user.
    login: Option<String>,
    client: Arc<HttpClient>,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.host)
    }
}

impl Listener {
    /// # Errors
    /// Where `url` is none of http or https.
    pub fn new(url: &str) -> Result<Listener> {
        let (Location::Object { root, access, .. }, true) = (Location::parse(url, Path::new("/"))?, url.starts_with("http")) else {
            return Err(Error::spec("nobody is told over HTTP there").advice("give a URL of http:// or https://"));
        };
        let behind_host = url.split_once("://").and_then(|(_, rest)| Some(&rest[rest.find('/')?..]));
        let address = format!("{root}{}", behind_host.unwrap_or("/"));
        let login = access.login().map(|login| format!("Basic {}", BASE64_STANDARD.encode(login)));
        let listener = |client| Listener {
            address,
            host: root,
            login,
            client,
        };
        // Another place was not asked to be told, and whoever follows a POST there may only GET.
        let client = reqwest::Client::builder().redirect(Policy::none()).timeout(PATIENCE).build();
        let client = client.map_err(|e| Error::internal(format!("no client for HTTP: {e}")))?;
        let listener = listener(Arc::new(HttpClient::new(client)));
        let request = listener.request(Vec::new());
        request
            .map(|_| listener)
            .ok_or_else(|| Error::spec("the URL of a listener cannot be used").advice("percent-encode what is no part of a URL"))
    }

    /// Tells it; tries again where it is not there, or says that it is busy.
    pub async fn tell(&self, notice: &Notice) -> Result<()> {
        let body = serde_json::to_vec(notice).map_err(|e| Error::internal(format!("a notice is not JSON: {e}")))?;
        let mut pauses = PAUSES.iter();
        loop {
            let failure = match timeout(PATIENCE, self.post(&body)).await {
                Ok(Ok(status)) if (200..300).contains(&status) => return Ok(()),
                Ok(Ok(status)) if status < 500 && status != 408 && status != 429 => {
                    return Err(self.unheard(&format!("it answers {status}")));
                }
                Ok(Ok(status)) => format!("it answers {status}"),
                Ok(Err(())) => "it cannot be reached".to_owned(),
                Err(_) => format!("it is silent for {} s", PATIENCE.as_secs()),
            };
            match pauses.next() {
                Some(pause) => sleep(*pause).await,
                None => return Err(self.unheard(&failure)),
            }
        }
    }

    async fn post(&self, body: &[u8]) -> std::result::Result<u16, ()> {
        let request = self.request(body.to_vec()).ok_or(())?;
        // What the client says of a failure may repeat the address with all that is in it.
        let response = self.client.execute(request).await.map_err(|_| ())?;
        Ok(response.status().as_u16())
    }

    fn request(&self, body: Vec<u8>) -> Option<HttpRequest> {
        let mut request = HttpRequest::new(HttpRequestBody::from(body));
        *request.method_mut() = "POST".parse().ok()?;
        *request.uri_mut() = self.address.parse().ok()?;
        let headers = request.headers_mut();
        headers.insert("content-type", "application/cloudevents+json; charset=utf-8".parse().ok()?);
        if let Some(login) = &self.login {
            headers.insert("authorization", login.parse().ok()?);
        }
        Some(request)
    }

    fn unheard(&self, why: &str) -> Error {
        Error::unavailable(format!("nobody was told that the comparison has ended: {why}")).file(&self.host)
    }
}
