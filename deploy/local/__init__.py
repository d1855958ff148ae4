"""The local stack: Kafka, the warehouse and the workers on one machine, without containers, on 127.0.0.1."""
