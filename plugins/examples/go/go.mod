module example.org/upper

go 1.19
