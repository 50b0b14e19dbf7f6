//! Opens the places that a spec or a setting names: local paths and objects behind URLs.
//!
//! ```text
//! live/part 1.parquet              local, relative to the folder of the spec
//! file:///data/part%201.parquet    local, percent-decoded
//! s3://bucket/slot=12%3A30/x.csv   the key exactly as written: nothing is encoded or decoded
//! https://host/part%201.parquet    percent-decoded, and encoded again for the request
//! ```
//!
//! Local files are read through the file system itself, because the path rules of object stores change names that a
//! file system allows.

mod errors;
mod location;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::http::HttpBuilder;
use object_store::local::LocalFileSystem;
use object_store::{ClientOptions, ObjectStore};
use shadowdiff_core::error::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use errors::settings_error;
pub use errors::{changed, io_error, store_error};
pub use location::Location;

/// The object stores in use, one a bucket or host, opened when first named. Credentials come from the environment.
#[derive(Debug, Default)]
pub struct Stores {
    opened: Mutex<BTreeMap<String, Arc<dyn ObjectStore>>>,
}

impl Stores {
    pub fn new() -> Self {
        Stores::default()
    }

    /// The store behind a root such as `s3://bucket`.
    pub fn open(&self, root: &str) -> Result<Arc<dyn ObjectStore>> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = opened.get(root) {
            return Ok(store.clone());
        }
        endpoints()?;
        let store = build(root).map_err(|e| settings_error(&e, root))?;
        opened.insert(root.to_string(), store.clone());
        Ok(store)
    }

    /// Puts a store behind a root, in place of the one that would be opened.
    #[cfg(test)]
    pub(crate) fn insert(&self, root: &str, store: Arc<dyn ObjectStore>) {
        self.opened
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(root.to_string(), store);
    }

    /// Store and path for any location, local ones too: for what shadowdiff itself writes, whose names are plain.
    pub fn resolve(&self, text: &str, base: &Path) -> Result<(Arc<dyn ObjectStore>, object_store::path::Path)> {
        let location = Location::parse(text, base)?;
        match &location {
            Location::Local(path) => {
                let path = object_store::path::Path::from_absolute_path(path).map_err(|e| Error::spec(format!("{text}: {e}")))?;
                Ok((Arc::new(LocalFileSystem::new()), path))
            }
            Location::Object { root, .. } => Ok((self.open(root)?, location.key()?)),
        }
    }
}

fn build(root: &str) -> object_store::Result<Arc<dyn ObjectStore>> {
    let scheme = root.split_once("://").map_or("", |(scheme, _)| scheme);
    Ok(match scheme {
        "s3" | "s3a" => Arc::new(amazon(root).build()?),
        "gs" => Arc::new(GoogleCloudStorageBuilder::from_env().with_url(root).build()?),
        "http" | "https" => {
            let options = ClientOptions::new().with_allow_http(true);
            Arc::new(HttpBuilder::new().with_url(root).with_client_options(options).build()?)
        }
        // `Location::parse` lets no other scheme through.
        _ => Arc::new(MicrosoftAzureBuilder::from_env().with_url(root).build()?),
    })
}

const AMAZON_ENDPOINTS: [&str; 3] = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"];

/// Refuses an endpoint without a scheme: the client for S3 panics when it signs a request for one.
fn endpoints() -> Result<()> {
    for name in AMAZON_ENDPOINTS {
        if let Ok(endpoint) = std::env::var(name)
            && !endpoint.starts_with("http://")
            && !endpoint.starts_with("https://")
        {
            return Err(Error::spec(format!(
                "{name}={endpoint}: an endpoint begins with https:// or http://"
            )));
        }
    }
    Ok(())
}

/// An endpoint that is written with `http://` is a choice already made; no second setting has to repeat it.
fn amazon(root: &str) -> AmazonS3Builder {
    let plain = AMAZON_ENDPOINTS
        .iter()
        .any(|name| std::env::var(name).is_ok_and(|endpoint| endpoint.starts_with("http://")));
    let builder = AmazonS3Builder::from_env().with_url(root);
    if plain { builder.with_allow_http(true) } else { builder }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_store_a_root() {
        let stores = Stores::new();
        let first = stores.open("http://localhost:1").expect("opens");
        let again = stores.open("http://localhost:1").expect("opens");
        assert!(Arc::ptr_eq(&first, &again));
        assert!(!Arc::ptr_eq(&first, &stores.open("http://localhost:2").expect("opens")));
    }

    #[test]
    fn local_places_resolve_below_the_base() {
        let (_, path) = Stores::new().resolve("out/x.csv", Path::new("/data/spec")).expect("resolves");
        assert_eq!(path.as_ref(), "data/spec/out/x.csv");
    }
}
