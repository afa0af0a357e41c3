module lighter.example/e2e/tools/cri-api

go 1.26.2

require k8s.io/cri-api v0.37.2
