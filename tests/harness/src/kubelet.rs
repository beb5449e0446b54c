//! A stand-in kubelet: runs the static pods of a folder as processes, as far as etcd's pod goes.
//!
//! Like the real one it reads every file whose name does not begin with a dot, ends what is changed or gone, restarts what ends with a
//! growing delay, really probes, and keeps logs in the CRI's format and folders. Unlike it there are no containers: the
//! command runs on this machine, so that every path must be mounted at its own place.
//!
//! It is there for what a real one cannot be made to do on demand: to be down, to be quick, to start once more. Held against the real one
//! (1.36, in `tests/e2e/tests/real_node`): a crash loop's last words, an image that is missing, an end with the manifest's, and an upgrade of the
//! manifest by kubeadm. What it does not have: a real one that has not reached its API server
//! lets go of no pod.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use crate::binaries::etcd_versions;
use crate::pod::{PodRun, Spec};

/// How often the folder and the processes are looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Told of each change of a pod: the mirror pod as the API server would show it, or none once the pod is gone.
pub type OnPod = Box<dyn FnMut(Option<Value>) + Send>;

/// How to run a kubelet.
pub struct KubeletOptions {
    /// The folder that it watches. Made where it is missing.
    pub manifests: PathBuf,
    /// Where it keeps the pods' logs.
    pub pod_logs: PathBuf,
    /// The node's name.
    pub node: String,
    /// What comes before every command, `ip netns exec <name>` for example.
    pub prefix: Vec<String>,
    /// Times of the kubelet (probe periods, delays, grace) are divided by this, so that tests need not wait as long.
    pub hurry: u32,
    /// So long after the end of a pod whose manifest is gone its container is started once more, for a moment. A real kubelet (1.36) does that
    /// to an etcd that ends by itself, as a removed member does, right when its manifest is taken away.
    pub starts_once_more: Option<Duration>,
    /// Told of each change of a pod.
    pub on_pod: OnPod,
}

impl KubeletOptions {
    /// A kubelet with its folders under `folder`, on this machine itself, ten times as fast as a real one.
    pub fn under(folder: &Path, node: &str) -> Self {
        Self {
            manifests: folder.join("manifests"),
            pod_logs: folder.join("pod-logs"),
            node: node.to_owned(),
            prefix: Vec::new(),
            hurry: 10,
            starts_once_more: None,
            on_pod: Box::new(|_| {}),
        }
    }
}

/// A running kubelet. Dropping it kills its pods' processes.
pub struct Kubelet {
    /// The folder that it watches.
    pub manifests: PathBuf,
    /// Where it keeps the pods' logs.
    pub pod_logs: PathBuf,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    end: AtomicBool,
    down: AtomicBool,
    complaints: Mutex<Vec<String>>,
}

impl Kubelet {
    /// Starts it.
    pub fn start(options: KubeletOptions) -> Self {
        for folder in [&options.manifests, &options.pod_logs] {
            fs::create_dir_all(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        }
        let shared = Arc::<Shared>::default();
        let (manifests, pod_logs) = (options.manifests.clone(), options.pod_logs.clone());
        let ours = Arc::clone(&shared);
        let thread = std::thread::spawn(move || watch(options, &ours));
        Self { manifests, pod_logs, shared, thread: Some(thread) }
    }

    /// It does nothing any more until [`Kubelet::come_back`]; processes live on, as containers do without a kubelet.
    pub fn go_down(&self) {
        self.shared.down.store(true, Ordering::SeqCst);
        // A look that is under way ends.
        std::thread::sleep(LOOK * 4);
    }

    /// Ends [`Kubelet::go_down`].
    pub fn come_back(&self) {
        self.shared.down.store(false, Ordering::SeqCst);
    }

    /// What it has refused to run, and why; containers that it killed, and why.
    pub fn complaints(&self) -> Vec<String> {
        self.shared.complaints.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes a `KubeletConfiguration` that names this kubelet's folders, for `--kubelet-config`.
    pub fn write_config(&self, path: &Path) {
        self.write_config_for(path, &self.manifests);
    }

    /// The same for a host that sees the manifests folder under this path.
    pub fn write_config_for(&self, path: &Path, manifests: &Path) {
        let text = format!(
            "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nstaticPodPath: {}\npodLogsDir: {}\n",
            manifests.display(),
            self.pod_logs.display()
        );
        fs::write(path, text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.shared.end.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The etcd at hand that an image of this name holds: `…/etcd:3.5.16-0`.
pub(crate) fn program(image: &str) -> Result<PathBuf, String> {
    let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag);
    let version = tag.split('-').next().unwrap_or_default().trim_start_matches('v');
    let found = etcd_versions().into_iter().find(|etcd| etcd.version == version);
    found.map(|etcd| etcd.path).ok_or_else(|| format!("the image {image} cannot be pulled"))
}

fn watch(mut options: KubeletOptions, shared: &Shared) {
    let mut pods: BTreeMap<PathBuf, PodRun> = BTreeMap::new();
    let mut refused: HashMap<PathBuf, String> = HashMap::new();
    let complain = |text: String| shared.complaints.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    while !shared.end.load(Ordering::SeqCst) {
        std::thread::sleep(LOOK);
        if shared.down.load(Ordering::SeqCst) {
            continue;
        }
        let found = manifests(&options.manifests);
        let gone: Vec<_> =
            pods.iter().filter(|(path, pod)| found.get(*path) != Some(&pod.spec.text)).map(|(p, _)| p.clone()).collect();
        for path in gone {
            if let Some(mut pod) = pods.remove(&path) {
                if options.starts_once_more.is_some() {
                    // So that it is still seen to run.
                    std::thread::sleep(Duration::from_millis(300));
                }
                pod.end();
                if let Some(after) = options.starts_once_more {
                    std::thread::sleep(after);
                    pod.spawn();
                    std::thread::sleep(Duration::from_millis(500));
                    pod.kill();
                }
                (options.on_pod)(None);
            }
        }
        refused.retain(|path, text| found.get(path) == Some(text));
        for (path, text) in found {
            if pods.contains_key(&path) || refused.contains_key(&path) {
                continue;
            }
            match Spec::read(&text) {
                Ok(spec) => {
                    let run = PodRun::new(spec, &options.node, &options.pod_logs, &options.prefix, options.hurry);
                    pods.insert(path, run);
                }
                Err(why) => {
                    complain(format!("{}: {why}", path.display()));
                    refused.insert(path, text);
                }
            }
        }
        for pod in pods.values_mut() {
            pod.tick().into_iter().for_each(complain);
            if let Some(mirror) = pod.news() {
                (options.on_pod)(Some(mirror));
            }
        }
    }
    pods.into_values().for_each(|mut pod| pod.kill());
}

/// The manifests with their text. What cannot be read (removed in the same moment) is not there.
fn manifests(folder: &Path) -> BTreeMap<PathBuf, String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let visible = entries.filter(|path| !path.file_name().unwrap_or_default().to_string_lossy().starts_with('.'));
    visible.filter_map(|path| fs::read_to_string(&path).ok().map(|text| (path, text))).collect()
}
