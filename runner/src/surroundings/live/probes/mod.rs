//! `probes`: measurements on this node and of the way to others, a file each.
//!
//! Whatever may block (a slow disk, a file system behind a dead network) is done on a thread for that; whoever loses interest tells
//! it to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Site;
use crate::grants::{Grants, ProbesGrant, Target};
use crate::surroundings::{Ask, Refused, Reply};

mod beneath;
mod certificates;
mod clock;
mod dial;
mod fsync;
mod latency;
mod memory;
mod mtu;
mod shown;
mod space;

/// Answers a question about this node or the way to another.
pub(super) async fn answer(site: &Site, grants: &Grants, ask: &Ask) -> Result<Reply, Refused> {
    let grant = grants.probes.as_ref().ok_or_else(|| Refused::denied("measurements were not granted"))?;
    match ask {
        Ask::Fsync { directory, writes } => {
            let (root, directory, writes) = (grant.for_fsync(directory)?.to_owned(), directory.clone(), *writes);
            blocking(move |stop| fsync::measure(beneath::directory(&root, &directory)?, &directory, writes, stop))
                .await
                .map(Reply::Latency)
        }
        Ask::DiskSpace { path } => {
            let (root, path) = (grant.for_disk_space(path)?.to_owned(), path.clone());
            blocking(move |_| space::of(&root, &path)).await.map(Reply::Space)
        }
        Ask::Memory => blocking(|_| memory::of(std::path::Path::new("/"))).await.map(Reply::Space),
        Ask::Certificates { path } => {
            let (root, path) = (grant.for_certificates(path)?.to_owned(), path.clone());
            blocking(move |_| certificates::in_file(&root, &path)).await.map(Reply::Certificates)
        }
        Ask::Connect { url, times } => {
            let target = target(site, grant, url).await?;
            dial::Way::to(target, site.tls.as_ref()).await?.time(*times).await.map(Reply::Latency)
        }
        Ask::PathMtu { url } => mtu::to(&target(site, grant, url).await?).await.map(Reply::Mtu),
        Ask::ClockOffset { url } => {
            let target = target(site, grant, url).await?;
            clock::offset(&dial::Way::to(target, site.tls.as_ref()).await?).await.map(Reply::ClockOffset)
        }
        Ask::CertificatesOf { url } => {
            let target = target(site, grant, url).await?;
            shown::by(target, site.tls.as_ref()).await.map(Reply::Certificates)
        }
        _ => Err(Refused::denied("this is no measurement")),
    }
}

/// The target, once it is known to be granted: by name, or as a URL of a member that was observed.
async fn target(site: &Site, grant: &ProbesGrant, url: &str) -> Result<Target, Refused> {
    let target = Target::parse(url)?;
    if !grant.names(&target) {
        let members = if grant.members { site.members().await? } else { Arc::default() };
        let urls = members.iter().flat_map(|m| m.peer_urls.iter().chain(&m.client_urls)).cloned();
        grant.permit_target(&target, Some(&urls.collect::<Vec<_>>()))?;
    }
    Ok(target)
}

/// Does this on a thread that may block. It is told to stop when nobody waits for it any longer.
async fn blocking<T, F>(work: F) -> Result<T, Refused>
where
    T: Send + 'static,
    F: FnOnce(&AtomicBool) -> Result<T, Refused> + Send + 'static,
{
    struct StopOnDrop(Arc<AtomicBool>);
    impl Drop for StopOnDrop {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let waiting = StopOnDrop(Arc::default());
    let stop = Arc::clone(&waiting.0);
    let done = tokio::task::spawn_blocking(move || work(&stop)).await;
    done.unwrap_or_else(|e| Err(Refused::new("failed", format!("the measurement broke off: {e}"))))
}
