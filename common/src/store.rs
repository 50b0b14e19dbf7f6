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

mod access;
mod errors;
mod http;
mod location;
mod marking;
#[cfg(test)]
pub(crate) mod testing;

use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::buffered::BufWriter;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use shadowdiff_core::error::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

pub use access::Access;
use errors::settings_error;
pub use errors::{changed, io_error, store_error};
pub(crate) use http::is_copied;
pub use location::Location;
pub use marking::Marking;

/// A part of a multipart upload; smaller objects are one put.
pub const PART_BYTES: usize = 16 << 20;
const PARTS_IN_FLIGHT: usize = 2;

/// A writer of one object.
pub fn uploader(store: &Arc<dyn ObjectStore>, to: &ObjectPath) -> BufWriter {
    BufWriter::with_capacity(Arc::clone(store), to.clone(), PART_BYTES).with_max_concurrency(PARTS_IN_FLIGHT)
}

/// The object stores in use, one a bucket or host, opened when first named. Credentials come from the environment.
#[derive(Debug, Default)]
pub struct Stores {
    opened: Mutex<BTreeMap<(String, Access), Arc<dyn ObjectStore>>>,
}

impl Stores {
    pub fn new() -> Self {
        Stores::default()
    }

    /// The store behind a place, such as the bucket of a key.
    pub fn open(&self, location: &Location) -> Result<Arc<dyn ObjectStore>> {
        let Location::Object { root, access, .. } = location else {
            return Ok(Arc::new(LocalFileSystem::new()));
        };
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let name = (root.clone(), access.clone());
        if let Some(store) = opened.get(&name) {
            return Ok(store.clone());
        }
        endpoints()?;
        if root.starts_with("s3") {
            profile(|name| std::env::var(name).ok())?;
        }
        let store = build(root, access).map_err(|e| settings_error(&e, root))?;
        opened.insert(name, store.clone());
        Ok(store)
    }

    /// Puts a store behind a root, in place of the one that would be opened: tests have stores that fail.
    pub fn insert(&self, root: &str, store: Arc<dyn ObjectStore>) {
        self.opened
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert((root.to_string(), Access::default()), store);
    }

    /// Store and path for any location, local ones too: for what shadowdiff itself writes, whose names are plain.
    pub fn resolve(&self, text: &str, base: &Path) -> Result<(Arc<dyn ObjectStore>, ObjectPath)> {
        let location = Location::parse(text, base)?;
        let path = match &location {
            Location::Local(path) => ObjectPath::from_absolute_path(path).map_err(|e| Error::spec(format!("{text}: {e}")))?,
            Location::Object { .. } => location.key()?,
        };
        Ok((self.open(&location)?, path))
    }
}

fn build(root: &str, access: &Access) -> object_store::Result<Arc<dyn ObjectStore>> {
    let scheme = root.split_once("://").map_or("", |(scheme, _)| scheme);
    Ok(match scheme {
        "s3" | "s3a" => Arc::new(amazon(root).build()?),
        "gs" => Arc::new(GoogleCloudStorageBuilder::from_env().with_url(root).build()?),
        "http" | "https" => Arc::new(http::open(root, access)?),
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

/// Refuses a profile that is asked for: it is not read, and the identity of the machine must not stand in for it unnoticed.
fn profile(variable: impl Fn(&str) -> Option<String>) -> Result<()> {
    let is_set = |name: &&'static str| variable(name).is_some_and(|value| !value.is_empty());
    let beats_it = ["AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE"].iter().any(is_set);
    match ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"].iter().find(|name| is_set(name)) {
        Some(name) if !beats_it => Err(Error::spec(format!(
            "{name} is set, but AWS profiles are not read; put their credentials into variables: \
             eval \"$(aws configure export-credentials --format env)\""
        ))),
        Some(_) | None => Ok(()),
    }
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
        let open = |url: &str| {
            let location = Location::parse(url, Path::new("/")).expect("a place");
            stores.open(&location).expect("opens")
        };
        let first = open("http://localhost:1/a");
        assert!(Arc::ptr_eq(&first, &open("http://localhost:1/b")));
        assert!(!Arc::ptr_eq(&first, &open("http://localhost:2/a")));
        assert!(!Arc::ptr_eq(&first, &open("http://localhost:1/a?token=1")));
    }

    #[test]
    fn a_profile_is_refused_unless_its_credentials_are_there() {
        let with = |names: &'static [&str]| profile(move |name| names.contains(&name).then(|| "x".to_owned()));
        assert!(with(&[]).is_ok() && with(&["AWS_PROFILE", "AWS_ACCESS_KEY_ID"]).is_ok());
        let error = with(&["AWS_PROFILE"]).expect_err("it is not read");
        assert!(error.to_string().contains("export-credentials"), "{error}");
    }

    #[test]
    fn local_places_resolve_below_the_base() {
        let (_, path) = Stores::new().resolve("out/x.csv", Path::new("/data/spec")).expect("resolves");
        assert_eq!(path.as_ref(), "data/spec/out/x.csv");
    }
}
