"""What a process is: settings, logging, pool, migrations, health, launch, embedded servers."""
