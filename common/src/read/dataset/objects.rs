//! Lists objects of a store.

use super::selection::{DatasetEntry, refuse_table, table_format};
use super::{Listed, ListedFile, format, pin_of_object};
use crate::store::{Access, Location, store_error};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use shadowdiff_core::error::{Error, Result};

pub(super) async fn list(wanted: &DatasetEntry, store: &dyn ObjectStore) -> Result<Listed> {
    let Location::Object { root, key, .. } = &wanted.location else {
        return Err(Error::internal(format!("{} is not an object", wanted.shown)));
    };
    let path = wanted.location.key()?;
    let is_http = wanted.location.is_http();
    if wanted.glob.is_none() && !key.is_empty() && !key.ends_with('/') {
        match store.head(&path).await {
            Ok(meta) if meta.size > 0 || format::is_known(key) => return Ok(one_object(wanted, meta)),
            // A marker of zero bytes stands for a directory.
            Ok(_) => {}
            Err(object_store::Error::NotFound { .. }) if !is_http => {}
            Err(error) => return Err(store_error(error, &wanted.shown)),
        }
    }
    if is_http {
        return Err(Error::spec("files behind http cannot be listed")
            .file(&wanted.shown)
            .advice("name each file"));
    }
    refuse_tables_above(wanted, &path, store).await?;
    let prefix = (!path.as_ref().is_empty()).then_some(&path);
    let metas: Vec<ObjectMeta> = store.list(prefix).try_collect().await.map_err(|e| store_error(e, &wanted.shown))?;
    below(wanted, root, &path, metas)
}

fn one_object(wanted: &DatasetEntry, meta: ObjectMeta) -> Listed {
    Listed {
        found: vec![ListedFile {
            name: wanted.shown.clone(),
            relative: meta.location.filename().unwrap_or_default().to_string(),
            location: wanted.location.clone(),
            pin: pin_of_object(&meta),
        }],
        skipped: 0,
    }
}

fn found(name: String, relative: String, root: &str, meta: &ObjectMeta) -> ListedFile {
    let location = Location::Object {
        root: root.to_string(),
        key: meta.location.as_ref().to_string(),
        access: Access::default(),
    };
    ListedFile {
        name,
        relative,
        location,
        pin: pin_of_object(meta),
    }
}

/// Chooses among all objects below the root.
fn below(wanted: &DatasetEntry, root: &str, prefix: &Path, metas: Vec<ObjectMeta>) -> Result<Listed> {
    let mut listed = Listed {
        found: Vec::new(),
        skipped: 0,
    };
    for meta in metas {
        let key = meta.location.as_ref();
        let relative = key.strip_prefix(prefix.as_ref()).unwrap_or(key).trim_start_matches('/').to_string();
        let names: Vec<&str> = relative.split('/').filter(|name| !name.is_empty()).collect();
        let Some((name, parents)) = names.split_last() else { continue };
        for depth in 0..names.len() {
            if let Some(format) = table_format(&names[depth..]) {
                return refuse_table(&wanted.name_below(&names[..depth].join("/")), format).map(|()| listed);
            }
        }
        let hidden = (0..parents.len()).any(|depth| wanted.skips(&parents[..depth], parents[depth], true));
        let marker = meta.size == 0 && !format::is_known(name);
        if hidden || marker || wanted.skips(parents, name, false) {
            listed.skipped += 1;
        } else if wanted.takes(&names) {
            listed
                .found
                .push(found(wanted.name_below(&relative), relative.clone(), root, &meta));
        }
    }
    Ok(listed)
}

/// One partition of a table is part of the table.
async fn refuse_tables_above(wanted: &DatasetEntry, path: &Path, store: &dyn ObjectStore) -> Result<()> {
    let names: Vec<&str> = path.as_ref().split('/').collect();
    let mut depth = names.len();
    while depth > 0 && names[depth - 1].contains('=') {
        depth -= 1;
        for marker in ["_delta_log", ".hoodie"] {
            let key = names[..depth].iter().copied().chain([marker]).collect::<Vec<_>>().join("/");
            // Parsed, not built of parts: parts would be percent-encoded.
            let inside = Path::parse(&key).map_err(|e| Error::input(format!("the name cannot be used: {e}")).file(key))?;
            let first = store
                .list(Some(&inside))
                .try_next()
                .await
                .map_err(|e| store_error(e, &wanted.shown))?;
            if let Some(format) = first.and_then(|_| table_format(&[marker])) {
                return refuse_table(&names[..depth].join("/"), format);
            }
        }
    }
    Ok(())
}
