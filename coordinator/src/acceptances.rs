//! Reads the file of acceptances that a spec names, when its job is planned or its result is judged again.

use futures::StreamExt;
use object_store::ObjectStoreExt;

use shadowdiff_common::store::{Location, Stores, io_error, store_error};
use shadowdiff_common::tasks::blocking;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::spec::{Acceptance, MAX_ACCEPTED_BYTES, Spec, parse_acceptances};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The acceptances of a spec whose relative paths start at `base`; none where it names no file.
pub(crate) async fn read_acceptances(spec: &Spec, base: &Path, stores: &Stores) -> Result<Vec<Acceptance>> {
    let Some(place) = &spec.accepted else { return Ok(Vec::new()) };
    let name = Location::shown(place);
    let bytes = read(place, &name, base, stores).await.map_err(|e| e.field("accepted"))?;
    let text = String::from_utf8(bytes).map_err(|_| Error::spec("is not UTF-8 text").file(&name))?;
    parse_acceptances(&text, &name)
}

/// As much of the file as tells whether it is too large.
async fn read(place: &str, name: &str, base: &Path, stores: &Stores) -> Result<Vec<u8>> {
    let location = Location::parse(place, base)?;
    if let Location::Local(path) = location {
        return blocking("reading acceptances", move || read_local(&path)).await;
    }
    let found = stores.open(&location)?.get(&location.key()?).await;
    let mut chunks = found.map_err(|e| store_error(e, name))?.into_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.next().await {
        bytes.extend_from_slice(&chunk.map_err(|e| store_error(e, name))?);
        if bytes.len() > MAX_ACCEPTED_BYTES {
            break;
        }
    }
    Ok(bytes)
}

fn read_local(path: &PathBuf) -> Result<Vec<u8>> {
    let failed = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::NotFound => Error::input("there is no such file")
            .file(path.display())
            .advice("`shadowdiff accept` writes it, and an empty one accepts nothing"),
        _ => io_error(&e, &path.display().to_string()),
    };
    let (mut bytes, limit) = (Vec::new(), MAX_ACCEPTED_BYTES as u64 + 1);
    let file = File::open(path).map_err(failed)?;
    file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}
