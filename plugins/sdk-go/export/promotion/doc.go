package promotion
