//! Fetches a result: whole or not at all. A transfer that breaks goes on where it was.

use super::remote::Remote;
use shadowdiff_coordinator::{FILES, Published, SUMMARY, Staging, Target};
use shadowdiff_core::error::{Error, Kind, Result};
use shadowdiff_core::report::{FileMarks, files_of, own_summary};
use shadowdiff_proto::v1::Job;
use std::io::Write;
use std::time::Duration;
use tokio::time::sleep;

/// Breaks of one file's transfer.
const MAX_BREAKS: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// Fetches all files to the target; gives the summary.
pub(super) async fn fetch(remote: &mut Remote, job: &Job, target: &Target, overwrite: bool) -> Result<(serde_json::Value, Published)> {
    let staging = Staging::new(target)?;
    let summary = files(remote, job, &staging).await?;
    Ok((summary, staging.publish(target, overwrite).await?))
}

/// Fetches all files to a temporary place, which goes with what is given.
pub(super) async fn copy(remote: &mut Remote, job: &Job) -> Result<(serde_json::Value, Published)> {
    let staging = Staging::aside(&std::env::temp_dir())?;
    Ok((files(remote, job, &staging).await?, staging.keep()))
}

/// Fetches all files, and checks that the tables are what the summary says.
async fn files(remote: &mut Remote, job: &Job, staging: &Staging) -> Result<serde_json::Value> {
    let mut marks = FileMarks::new();
    let mut summary = serde_json::Value::Null;
    for name in FILES {
        let mut file = staging.create(name)?;
        if name == SUMMARY {
            let mut bytes = Vec::new();
            whole(remote, job, name, &mut bytes).await?;
            summary = own_summary(&bytes).map_err(|e| Error::internal(format!("job {}: its summary {e}", job.id)))?;
            file.write_all(&bytes)
                .map_err(|e| Error::exhausted(format!("output: {name}: {e}")))?;
            file.finish()?;
        } else {
            whole(remote, job, name, &mut file).await?;
            marks.extend([file.finish()?]);
        }
    }
    match files_of(&summary).into_iter().find(|(name, mark)| marks.get(name) != Some(mark)) {
        Some((name, _)) => Err(Error::unavailable(format!("job {}: {name} came damaged; fetch it again", job.id))),
        None => Ok(summary),
    }
}

/// One file to its end.
async fn whole(remote: &mut Remote, job: &Job, name: &str, to: &mut impl Write) -> Result<()> {
    let size = job.files.iter().find(|file| file.name == name).map(|file| file.size_bytes);
    let size = size.ok_or_else(|| Error::internal(format!("job {} has no {name}", job.id)))?;
    let (mut have, mut breaks) = (0u64, 0);
    while have < size {
        match piece(remote, job, name, &mut have, to).await {
            Ok(()) if have < size => breaks += 1,
            Ok(()) => {}
            Err(error) if error.kind == Kind::Unavailable && breaks < MAX_BREAKS => breaks += 1,
            Err(error) => return Err(error),
        }
        if have < size {
            if breaks > MAX_BREAKS {
                return Err(Error::unavailable(format!(
                    "job {}: {name} ends after {have} of {size} bytes",
                    job.id
                )));
            }
            sleep(PAUSE).await;
        }
    }
    Ok(())
}

/// One stream of pieces, as far as it goes.
async fn piece(remote: &mut Remote, job: &Job, name: &str, have: &mut u64, to: &mut impl Write) -> Result<()> {
    let mut pieces = remote.fetch(&job.id, name, *have).await?;
    while let Some(piece) = pieces.message().await.map_err(|status| remote.error(&status))? {
        if piece.offset != *have {
            return Err(Error::internal(format!("job {}: {name} came out of order", job.id)));
        }
        to.write_all(&piece.content)
            .map_err(|e| Error::exhausted(format!("output: {name}: {e}")))?;
        *have += piece.content.len() as u64;
    }
    Ok(())
}
