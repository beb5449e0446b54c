//! The kinds that the stand-in knows, and how each may be written.

/// A kind of object. What is not said here is as with a ConfigMap.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// `""` for the core.
    pub(super) group: &'static str,
    pub(super) kind: &'static str,
    pub(super) plural: &'static str,
    pub(super) namespaced: bool,
    /// Whether it has a status with a path of its own, which a write to the object itself leaves alone.
    pub(super) status: bool,
    /// Whether `metadata.generation` counts the changes of its `spec`.
    pub(super) generation: bool,
    /// Whether a PUT without a resourceVersion overwrites whatever is there (the API's `AllowUnconditionalUpdate`).
    pub(super) unconditional: bool,
    /// Whether a PUT makes what is not there (the API's `AllowCreateOnUpdate`).
    pub(super) put_creates: bool,
}

const RBAC: &str = "rbac.authorization.k8s.io";

const USUAL: Kind = Kind {
    group: "",
    kind: "",
    plural: "",
    namespaced: true,
    status: false,
    generation: false,
    unconditional: true,
    put_creates: false,
};

/// All of them, as `pkg/registry/*/strategy.go` of Kubernetes 1.35 has them.
static KINDS: &[Kind] = &[
    Kind { kind: "Node", plural: "nodes", namespaced: false, status: true, ..USUAL },
    Kind { kind: "Namespace", plural: "namespaces", namespaced: false, status: true, ..USUAL },
    Kind { kind: "ConfigMap", plural: "configmaps", ..USUAL },
    Kind { kind: "Event", plural: "events", put_creates: true, ..USUAL },
    Kind { kind: "Pod", plural: "pods", status: true, generation: true, ..USUAL },
    Kind { kind: "Secret", plural: "secrets", ..USUAL },
    Kind { kind: "ServiceAccount", plural: "serviceaccounts", ..USUAL },
    Kind { group: "apps", kind: "Deployment", plural: "deployments", status: true, generation: true, ..USUAL },
    Kind { group: "coordination.k8s.io", kind: "Lease", plural: "leases", unconditional: false, put_creates: true, ..USUAL },
    // The same objects as the core's events, seen in another way.
    Kind { group: "events.k8s.io", kind: "Event", plural: "events", put_creates: true, ..USUAL },
    Kind { group: RBAC, kind: "ClusterRole", plural: "clusterroles", namespaced: false, put_creates: true, ..USUAL },
    Kind {
        group: RBAC,
        kind: "ClusterRoleBinding",
        plural: "clusterrolebindings",
        namespaced: false,
        put_creates: true,
        ..USUAL
    },
    Kind { group: RBAC, kind: "Role", plural: "roles", put_creates: true, ..USUAL },
    Kind { group: RBAC, kind: "RoleBinding", plural: "rolebindings", put_creates: true, ..USUAL },
];

/// Questions rather than objects: they are answered, and kept nowhere.
pub(super) static ACCESS_REVIEW: Kind = Kind {
    group: "authorization.k8s.io",
    kind: "SelfSubjectAccessReview",
    plural: "selfsubjectaccessreviews",
    namespaced: false,
    ..USUAL
};

impl Kind {
    /// `v1`, `apps/v1`.
    pub(super) fn api_version(&self) -> String {
        if self.group.is_empty() { "v1".to_owned() } else { format!("{}/v1", self.group) }
    }

    /// `leases.coordination.k8s.io`, as messages name it.
    pub(super) fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// The group under which its objects are kept: an event is the same one in both of its groups.
    pub(super) fn kept_as(&self) -> &'static str {
        if self.plural == "events" { "" } else { self.group }
    }
}

/// The kinds of a group, in the order in which discovery lists them.
pub(super) fn of_group(group: &str) -> impl Iterator<Item = &'static Kind> + use<'_> {
    KINDS.iter().chain([&ACCESS_REVIEW]).filter(move |k| k.group == group)
}

/// The groups other than the core.
pub(super) fn groups() -> Vec<&'static str> {
    let mut groups: Vec<_> =
        KINDS.iter().chain([&ACCESS_REVIEW]).map(|k| k.group).filter(|group| !group.is_empty()).collect();
    groups.dedup();
    groups
}

pub(super) fn by_plural(group: &str, plural: &str) -> Option<&'static Kind> {
    KINDS.iter().chain([&ACCESS_REVIEW]).find(|k| k.group == group && k.plural == plural)
}

pub(super) fn by_kind(api_version: &str, kind: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|k| k.kind == kind && k.api_version() == api_version)
}
