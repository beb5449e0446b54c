package started
