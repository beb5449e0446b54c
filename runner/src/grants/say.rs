//! Grants as plain sentences: each goes on after "it may".

use std::path::PathBuf;

use super::{EtcdGrant, Grants, HttpGrant, KubernetesGrant, ProbesGrant, SecretSource};

impl Grants {
    /// What is granted, each as the end of a sentence that begins with "it may". Secrets are named, never shown.
    pub fn sentences(&self) -> Vec<String> {
        let mut all = Vec::new();
        if self.random {
            all.push("take random bytes".to_owned());
        }
        all.extend(self.http.iter().map(http));
        all.extend(self.kubernetes.iter().map(kubernetes));
        all.extend(self.probes.iter().flat_map(probes));
        all.extend(self.etcd.iter().flat_map(etcd));
        all.extend(self.secrets.iter().map(|(name, source)| secret(name, source)));
        all
    }
}

fn http(grant: &HttpGrant) -> String {
    let ports: Vec<_> = grant.ports.iter().map(u16::to_string).collect();
    let scheme = if grant.plain { "https:// and http://" } else { "https://" };
    let mut text = format!("send {} to {} by {scheme} at port {}", or(&grant.methods), or(&grant.hosts), or(&ports));
    if !grant.private_networks.is_empty() {
        let networks: Vec<_> = grant.private_networks.iter().map(ToString::to_string).collect();
        text += &format!(", also where they are in {}", or(&networks));
    }
    if let Some(file) = &grant.ca_file {
        text += &format!(", trusting the CAs in {}", file.display());
    }
    text
}

fn kubernetes(grant: &KubernetesGrant) -> String {
    let KubernetesGrant { api_version, kind, namespaces, names } = grant;
    let which = if names.is_empty() { format!("every {kind}") } else { format!("the {kind} {}", or(names)) };
    let place = match namespaces.as_slice() {
        [] => String::new(),
        all if all.iter().any(|namespace| namespace == "*") => " in all namespaces".to_owned(),
        some => format!(" in {}", or(some)),
    };
    format!("read {which}{place} ({api_version})")
}

fn probes(grant: &ProbesGrant) -> Vec<String> {
    let ProbesGrant { fsync, disk_space, memory, members, targets, certificates } = grant;
    let mut all = Vec::new();
    let on = |what: &str, paths: &[PathBuf]| {
        let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
        (!paths.is_empty()).then(|| format!("{what} {}", or(&paths)))
    };
    all.extend(on("time synced writes in", fsync));
    all.extend(on("see how much space there is at", disk_space));
    all.extend(memory.then(|| "see this node's memory".to_owned()));
    let reach = "time connections to, compare clocks with and see the certificates of";
    all.extend(members.then(|| format!("{reach} etcd's members")));
    all.extend((!targets.is_empty()).then(|| format!("{reach} {}", or(targets))));
    all.extend(on("see the certificates in", certificates));
    all
}

fn etcd(grant: &EtcdGrant) -> Vec<String> {
    let status = grant.status.then(|| "ask etcd's members for their status".to_owned());
    let keys = (!grant.prefixes.is_empty()).then(|| format!("read etcd's keys under {}", or(&grant.prefixes)));
    status.into_iter().chain(keys).collect()
}

fn secret(name: &str, source: &SecretSource) -> String {
    match source {
        SecretSource::File(path) => format!("know the secret {name:?}, from the file {}", path.display()),
        SecretSource::Env(variable) => format!("know the secret {name:?}, from the environment variable {variable}"),
        SecretSource::Kubernetes { namespace, name: object, key } => {
            format!("know the secret {name:?}, from the key {key} of the Kubernetes Secret {namespace}/{object}")
        }
    }
}

/// `a`, `a or b`, `a, b or c`.
fn or(words: &[String]) -> String {
    match words {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_read_like_sentences() {
        let grants: Grants = serde_json::from_value(serde_json::json!({
            "random": true,
            "http": [{
                "hosts": ["a.example", "*.b.example", "10.0.0.1"], "methods": ["GET", "POST"], "ports": [443, 8080],
                "plain": true, "privateNetworks": ["10.0.0.0/8"], "caFile": "/etc/ca.crt",
            }],
            "kubernetes": [
                { "apiVersion": "v1", "kind": "Node" },
                { "apiVersion": "v1", "kind": "ConfigMap", "namespaces": ["ops"], "names": ["freeze"] },
            ],
            "probes": { "fsync": ["/var/lib/etcd"], "memory": true, "members": true },
            "etcd": { "status": true, "prefixes": ["/registry/leases/"] },
            "secrets": { "token": { "file": "/etc/runner/token" }, "url": { "env": "HOOK" } },
        }))
        .unwrap();
        insta::assert_snapshot!(grants.sentences().join("\n"), @r#"
        take random bytes
        send GET or POST to a.example, *.b.example or 10.0.0.1 by https:// and http:// at port 443 or 8080, also where they are in 10.0.0.0/8, trusting the CAs in /etc/ca.crt
        read every Node (v1)
        read the ConfigMap freeze in ops (v1)
        time synced writes in /var/lib/etcd
        see this node's memory
        time connections to, compare clocks with and see the certificates of etcd's members
        ask etcd's members for their status
        read etcd's keys under /registry/leases/
        know the secret "token", from the file /etc/runner/token
        know the secret "url", from the environment variable HOOK
        "#);
        assert_eq!(Grants::default().sentences(), Vec::<String>::new());
    }
}
